#pragma once
/// Batches of restarts of the frame search, on SIMD lanes and threads.

#include <Eigen/Dense>

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/backend.h"
#include "models/frame_search.h"

namespace gnc {

/// Where a restart begins.
struct SearchStart {
  Eigen::MatrixXd vectors;  ///< [d,C], columns that are not zero
  double first_sharpness = 64;
};

/// Where it ended.
struct SearchEnd {
  SearchPoint point;
  std::int64_t evaluations = 0;  ///< of the surrogate and its gradient
  bool is_abandoned = false;     ///< on its way to a value that was not asked for
};

/// Writes start `index` of a batch; called from any thread, once for each index.
using StartMaker = std::function<SearchStart(int index)>;

/// Called now and then with the number of restarts that have ended, from one thread at a time.
using BatchProgress = std::function<void(int done)>;

/// Runs restarts at one size. The ends do not depend on the number of threads, nor on what else is in a
/// batch.
class FrameRestarts {
 public:
  /// `steps` is the most iterations of a stage. Restarts run on `backend` if there is one (as
  /// CorrelationDescent, which abandons none), else on the processor's lanes, on as many threads as OpenMP
  /// has.
  FrameRestarts(FrameObjective objective, int dim, int classes, int steps, Backend* backend);

  int dim() const { return dim_; }
  int classes() const { return classes_; }
  FrameObjective objective() const { return objective_; }

  /// Down from `count` starts in fp32: values within about log(C)/4096 of the local optima, estimates within
  /// 1e-6 where those are isolated. Restarts on their way to values above `abandon_above` end early.
  std::vector<SearchEnd> descend(int count, const StartMaker& start, double abandon_above,
                                 const BatchProgress& progress = {}) const;

  /// On from ends of descend() with multiplier steps in fp64, to about 1e-9 where the optimum is isolated.
  /// Never worse than `ends`. Adds to their evaluations.
  void refine(std::vector<SearchEnd>& ends) const;

  /// Operations of one evaluation, about: what a budget is counted in.
  double evaluation_cost() const;

 private:
  std::vector<SearchEnd> descend_on_backend(int count, const StartMaker& start,
                                            const BatchProgress& progress) const;

  FrameObjective objective_;
  int dim_, classes_, steps_;
  Backend* backend_;
};

/// Runs `work(i)` for i in [0,count) on as many threads as OpenMP would take, on the calling one too, and
/// rethrows the first error. Results must be stored by index, so that no order of threads shows.
void for_each_on_threads(int count, const std::function<void(int)>& work);

}  // namespace gnc
