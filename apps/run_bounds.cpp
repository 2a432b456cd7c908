#include "apps/run_bounds.h"

#include <algorithm>
#include <vector>

#include "apps/network_inputs.h"

namespace gnc {

void add_bounds_options(CLI::App& app, BoundsOptions& options) {
  app.add_flag(
      "--bounds", options.is_wanted,
      "of the trained network also Theorem 4.2 (covering numbers, Lipschitz constants) and the margin "
      "bound's Rademacher term by the layers' norms");
  app.add_option("--bounds-pictures", options.pictures,
                 "training pictures of each class whose distances --bounds takes; time grows with the square")
      ->capture_default_str();
}

std::vector<double> steepest_gradients(Trainer& trainer, const BatchSource& source) {
  constexpr int kMost = 64;
  const int size = source.images().size(), taken = std::min(size, kMost);
  std::vector<int> indices;
  for (int i = 0; i < taken; ++i) indices.push_back(static_cast<int>(std::int64_t{i} * size / taken));
  const Shape shape = source.images().pixels.shape().with_batch(taken);
  return trainer.steepest_gradients(HostTensor(shape, network_inputs(source, indices)));
}

CoveringBound bounds_of(const BoundedRun& run, const BoundsOptions& options) {
  const ImageSet& images = run.source.images();
  const std::vector<int> indices = first_of_each_class(images, options.pictures);
  const std::vector<float> inputs = network_inputs(run.source, indices);
  const auto dim = static_cast<std::size_t>(run.classifier.rows());
  std::vector<float> features;
  std::vector<std::int32_t> labels;
  for (const int index : indices) {
    const auto n = static_cast<std::size_t>(index);
    labels.push_back(images.labels[n]);
    const auto first = run.evaluation.features.begin() + static_cast<std::ptrdiff_t>(n * dim);
    features.insert(features.end(), first, first + static_cast<std::ptrdiff_t>(dim));
  }
  const LipschitzBound norms = run.trainer.feature_lipschitz(run.run);
  return covering_bound({.inputs = inputs,
                         .features = features,
                         .labels = labels,
                         .classifier = run.classifier,
                         .collapse = run.collapse,
                         .norms = norms,
                         .steepest_gradient = run.steepest_gradient});
}

}  // namespace gnc
