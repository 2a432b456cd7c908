#include "apps/run_bounds.h"

#include <unistd.h>

#include <algorithm>
#include <vector>

#include "apps/network_inputs.h"
#include "apps/options.h"
#include "data/subset.h"
#include "engine/error.h"

namespace gnc {
namespace {

/// Before anything is trained, whose end would be too late. The distances stay: 8·n_i² bytes a class.
void require_room(std::span<const std::int32_t> labels, int classes, int pictures) {
  std::vector<double> counts(static_cast<std::size_t>(classes));
  for (const std::int32_t label : labels) ++counts[static_cast<std::size_t>(label)];
  double bytes = 0;
  for (const double count : counts) bytes += 8 * count * count;
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  require<UsageError>(bytes <= memory / 2,
                      "--bounds-pictures {}: the distances of so many pictures of {} classes take {:.1f} GB, "
                      "more than half of the memory of {:.1f} GB; expected fewer",
                      pictures, classes, 1e-9 * bytes, 1e-9 * memory);
}

}  // namespace

void add_bounds_options(CLI::App& app, BoundsOptions& options) {
  CLI::Option* bounds = app.add_flag(
      "--bounds", options.is_wanted,
      "of the trained network also Theorem 4.2 (covering numbers, Lipschitz constants) and the margin "
      "bound's Rademacher term by the layers' norms");
  restrict_to_count(
      app.add_option("--bounds-pictures", options.pictures,
                     "training pictures of each class whose distances --bounds takes, at least 2; "
                     "time grows with the square, and memory: 8 bytes a pair")
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
  if (options.is_wanted) require_room(labels_, images.num_classes, options.pictures);
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
