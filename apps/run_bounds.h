#pragma once
/// --bounds: Theorem 4.2 and the norms of a trained run's layers.

#include <CLI/CLI.hpp>

#include <cstdint>
#include <vector>

#include "engine/metrics/covering_bound.h"
#include "engine/trainer.h"

namespace gnc {

struct BoundsOptions {
  bool is_wanted = false;
  int pictures = 1000;  ///< of each class, whose distances are taken; the first ones
};

/// --bounds --bounds-pictures.
void add_bounds_options(CLI::App& app, BoundsOptions& options);
/// Throws UsageError for a number of pictures without --bounds, where the parse did not: a settings file may
/// say that there are none.
void check_bounds(const BoundsOptions& options);

/// The training pictures whose distances the bounds take: the first of each class, as many as the options
/// say. The same for all runs, so that what is measured of them is measured once, when it is first wanted.
class BoundedPictures {
 public:
  /// `source` must outlive it. Throws UsageError where the distances would not fit into memory.
  BoundedPictures(const BatchSource& source, const BoundsOptions& options);

  const BatchSource& source() const { return source_; }
  const std::vector<int>& indices() const { return indices_; }
  /// Of them, in that order.
  const std::vector<std::int32_t>& labels() const { return labels_; }
  const std::vector<ClassSupport>& supports();

 private:
  const BatchSource& source_;
  std::vector<int> indices_;
  std::vector<std::int32_t> labels_;
  std::vector<ClassSupport> supports_;  // empty before they are wanted
};

/// What the bounds are of.
struct BoundedRun {
  Trainer& trainer;
  int run = 0;
  const Evaluation& evaluation;       ///< of all training pictures, with features
  const Eigen::MatrixXd& classifier;  ///< [d,C]
  const CollapseReport& collapse;
  double steepest_gradient = 0;  ///< of sampled_gradients()
};

/// Trainer::feature_gradients() at 64 training pictures, spread over the set (all of them, where it has no
/// more).
std::vector<double> sampled_gradients(Trainer& trainer, const BatchSource& source);

CoveringBound bounds_of(const BoundedRun& run, BoundedPictures& pictures);

}  // namespace gnc
