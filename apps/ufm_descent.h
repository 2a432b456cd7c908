#pragma once
/// A descent of the unconstrained feature model with everything that is measured on its way.

#include <functional>
#include <optional>
#include <vector>

#include "models/frame_known.h"
#include "models/unconstrained_features.h"

namespace gnc {

/// How long a descent goes on, and what is kept of it.
struct UfmSchedule {
  std::int64_t max_steps = 20'000;
  /// Stop when |∇L|_F/√(N+C) of every problem is at most this, and is more than rounding; 0: never.
  double tolerance = 1e-8;
  int records = 100;            ///< measurements, evenly over the logarithm of the step
  bool keeps_iterates = false;  ///< in `UfmRecord::state`, of problem 0
};

/// One measurement of one problem.
struct UfmRecord {
  std::int64_t step = 0;
  double loss = 0;
  double cross_entropy = 0;
  UfmReport report;                        ///< without the margins, which are C×C numbers
  std::optional<MinorityReport> minority;  ///< where the classes differ in size
  UfmState state;                          ///< empty unless asked for
};

/// How a problem ended.
struct UfmOutcome {
  std::vector<UfmRecord> records;  ///< by step, the last at the end
  UfmState end;
  bool is_converged = false;
  bool is_diverged = false;  ///< a number was not finite at the next measurement

  const UfmRecord& last() const { return records.back(); }
};

/// The steps at which a descent is measured: 0, max_steps and `records` in geometric progression between
/// them.
std::vector<std::int64_t> record_steps(std::int64_t max_steps, int records);

/// Runs all problems until each has converged, or to the last step; or until a signal asks to stop, after
/// which `was_interrupted` of the result is set. `progress(step, max_steps)` is called now and then.
/// `majority_classes` > 0: the classes from there on are a minority (Corollary 3.12). A problem of which a
/// number is no longer finite has diverged: its learning rate is too large. It ends there, and the others go
/// on; when all have diverged, throws DivergenceError naming the step.
struct UfmDescentResult {
  std::vector<UfmOutcome> problems;
  bool was_interrupted = false;
  double seconds = 0;  ///< of the descent, measurements included
};
UfmDescentResult run_ufm_descent(UnconstrainedFeatureModel& model, const UfmSchedule& schedule,
                                 int majority_classes,
                                 const std::function<void(std::int64_t, std::int64_t)>& progress);

}  // namespace gnc
