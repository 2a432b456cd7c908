#include "apps/run_bounds.h"

#include <algorithm>
#include <vector>

#include "apps/network_inputs.h"
#include "apps/options.h"
#include "data/subset.h"

namespace gnc {

void add_bounds_options(CLI::App& app, BoundsOptions& options) {
  CLI::Option* bounds = app.add_flag(
      "--bounds", options.is_wanted,
      "of the trained network also Theorem 4.2 (covering numbers, Lipschitz constants) and the margin "
      "bound's Rademacher term by the layers' norms");
  restrict_to_count(
      app.add_option("--bounds-pictures", options.pictures,
                     "training pictures of each class whose distances --bounds takes, at least 2; "
                     "time and memory grow with the square")
          ->capture_default_str()
          ->type_name("N"),
      2)
      ->needs(bounds);
}

void check_bounds(const BoundsOptions& options) {
  require<UsageError>(options.is_wanted || options.pictures == BoundsOptions{}.pictures,
                      "--bounds-pictures {} needs --bounds", options.pictures);
}

std::vector<double> sampled_gradients(Trainer& trainer, const BatchSource& source) {
  constexpr int kMost = 64;
  const int size = source.images().size(), taken = std::min(size, kMost);
  std::vector<int> indices;
  for (int i = 0; i < taken; ++i) indices.push_back(static_cast<int>(std::int64_t{i} * size / taken));
  const Shape shape = source.images().pixels.shape().with_batch(taken);
  return trainer.feature_gradients(HostTensor(shape, network_inputs(source, indices)));
}

BoundedPictures::BoundedPictures(const BatchSource& source, const BoundsOptions& options) : source_(source) {
  const ImageSet& images = source.images();
  const std::vector<std::int64_t> most(static_cast<std::size_t>(images.num_classes), options.pictures);
  indices_ = first_of_each_class(images, most);
  for (const int index : indices_) labels_.push_back(images.labels[static_cast<std::size_t>(index)]);
}

const std::vector<ClassSupport>& BoundedPictures::supports() {
  if (supports_.empty())
    supports_ = class_supports(network_inputs(source_, indices_), labels_, source_.images().num_classes);
  return supports_;
}

CoveringBound bounds_of(const BoundedRun& run, BoundedPictures& pictures) {
  const auto dim = run.classifier.rows();
  std::vector<float> features;
  for (const int index : pictures.indices()) {
    const auto first = run.evaluation.features.begin() + index * dim;
    features.insert(features.end(), first, first + dim);
  }
  return covering_bound({.supports = pictures.supports(),
                         .features = features,
                         .labels = pictures.labels(),
                         .classifier = run.classifier,
                         .collapse = run.collapse,
                         .norms = run.trainer.feature_lipschitz(run.run),
                         .steepest_gradient = run.steepest_gradient});
}

}  // namespace gnc
