#pragma once
/// --bounds: Theorem 4.2 and the norms of a trained run's layers.

#include <CLI/CLI.hpp>

#include <vector>

#include "engine/metrics/covering_bound.h"
#include "engine/trainer.h"

namespace gnc {

struct BoundsOptions {
  bool is_wanted = false;
  int pictures = 1000;  ///< of each class, whose distances are taken; the first ones
};

void add_bounds_options(CLI::App& app, BoundsOptions& options);

/// What the bounds are of.
struct BoundedRun {
  Trainer& trainer;
  int run = 0;
  const BatchSource& source;          ///< of the training pictures
  const Evaluation& evaluation;       ///< of all of them, with features
  const Eigen::MatrixXd& classifier;  ///< [d,C]
  const CollapseReport& collapse;
  double steepest_gradient = 0;  ///< of steepest_gradients()
};

/// Trainer::steepest_gradients() of every run at 64 training pictures, spread over the set (all of them,
/// where it has no more).
std::vector<double> steepest_gradients(Trainer& trainer, const BatchSource& source);

/// Of the first pictures of each class, as many as the options say (at least 2).
CoveringBound bounds_of(const BoundedRun& run, const BoundsOptions& options);

}  // namespace gnc
