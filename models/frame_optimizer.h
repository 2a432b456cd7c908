#pragma once
/// The search for the best frame of a size: restarts, basin hopping and neighbouring sizes within a budget.

#include <Eigen/Dense>

#include <cstdint>
#include <functional>
#include <string>

#include "engine/backend.h"
#include "models/frame.h"

namespace gnc {

struct OptimizerSettings {
  FrameObjective objective = FrameObjective::kSigned;
  int dim = 0;      ///< d >= 1
  int classes = 0;  ///< C >= 2
  std::uint64_t seed = 1;
  int restarts = 0;            ///< 0: until the value known to be best is reached or the budget is spent
  int steps = 1000;            ///< iterations of a stage at most
  Backend* backend = nullptr;  ///< where the restarts run; null: the processor's lanes
  /// Asked after each batch; true ends the search with what it has. Not given: never.
  std::function<bool()> should_stop = {};
};

/// What the search found.
struct OptimizedFrame {
  Eigen::MatrixXd vectors;  ///< [d,C], unit columns
  double value = 0.0;       ///< largest (absolute) inner product
  std::string origin;       ///< of the start: restarts, hopping, nudge, splice, symmetry, code or neighbour
  int restarts = 0;         ///< cold starts at this size; hops and their like come on top
  int hits = 0;             ///< of them, ends estimated (in fp32) to lie within 1e-4 of the value
  int iterations = 0;       ///< of the start that found it
};

/// Called after each batch and now and then within one: restarts done, and as many as there may be.
using OptimizerProgress = std::function<void(int done, int restarts)>;

/// Searches in rounds. The first is all cold starts; later ones mix cold starts, starts with a random
/// symmetry, subsets of structured codes, hops and splices of the best ends so far, and the best ends at C±1,
/// C±2, … with points taken out or put in. The search ends
///  * with `restarts` descents, if that is set;
///  * else when the value known to be optimal or best is equalled, or a lower bound is attained;
///  * where none is known (or only a value that may be beaten) when a twentieth of the cold starts, and a
///    hundred, have found the best and three rounds nothing better, or after about 50 seconds of one core;
///  * after about 1000 seconds of one core.
/// Seconds are counted as evaluations of a size, not by a clock: the same seed gives the same bytes on any
/// number of threads.
OptimizedFrame optimize_frame(const OptimizerSettings& settings, const OptimizerProgress& progress = {});

/// Unit vectors near an optimum taken there to rounding where that can be done: multiplier steps in double,
/// then Newton's method on the pairs at the maximum. Never worse than `vectors`.
Eigen::MatrixXd polish_frame(const Eigen::MatrixXd& vectors, FrameObjective objective);

}  // namespace gnc
