#pragma once
/// Many restarts of the search for the minimized maximal correlation, one in each SIMD lane.

#include <functional>
#include <limits>

#include "engine/frame_objective.h"

namespace gnc {

/// How every restart of a size goes down: by limited-memory BFGS on F = (1/β) log Σ_{i<j} w_ij exp(β g_ij),
/// g_ij = ⟨u_i, u_j⟩ with u_i = x_i/|x_i| (for `kAbsolute` exp(β g) + exp(-β g)), all weights 1, with a
/// sharpness β that rises by stages.
struct CorrelationSchedule {
  FrameObjective objective = FrameObjective::kSigned;
  int dim = 0;          ///< d >= 1
  int num_vectors = 0;  ///< C >= 2
  double growth = 4;    ///< factor of β between stages
  double last_sharpness = 4096;
  int iterations_per_stage = 1000;  ///< at most
  double stage_tolerance = 1e-4;    ///< of the largest entry of the gradient, where a stage ends
  double last_tolerance = 1e-5;     ///< the same for the last stage
  /// Multiplier steps after the last stage, w_ij <- w_ij exp(β g_ij)/Σ, each with a stage of its own.
  int multiplier_steps = 0;
  /// A restart ends early when a stage has shown that it is on its way to a value above this.
  double abandon_above = std::numeric_limits<double>::infinity();
};

/// One restart.
template <class Real>
struct CorrelationRestart {
  Real* vectors = nullptr;  ///< [C,d], rows that are not zero; become unit rows
  double first_sharpness = 64;
  double value = 0;           ///< out: largest (absolute) inner product, to the accuracy of Real
  double estimate = 0;        ///< out: Σ p_ij g_ij with p the softmax, nearer to the local optimum's value
  int iterations = 0;         ///< out
  int evaluations = 0;        ///< out: of F and its gradient
  bool is_abandoned = false;  ///< out
};

/// Hands out restarts, one at a call; null when there are no more. A restart handed out before has ended when
/// its lane asks for another, and all have when the descent returns.
template <class Real>
using RestartSource = std::function<CorrelationRestart<Real>*()>;

/// Takes restarts from the source until there are no more, on the calling thread, 16 (fp32) or 8 (fp64) at a
/// time. Several threads may share a source that allows it. A restart's bits depend on its own start and the
/// schedule alone. Uses AVX-512 where the processor has it.
void descend_correlation_lanes(const CorrelationSchedule& schedule, const RestartSource<float>& source);
void descend_correlation_lanes(const CorrelationSchedule& schedule, const RestartSource<double>& source);

/// Bytes that a thread's lanes take, with multipliers: 24 arrays [C,d] and 3 of all pairs, an entry a lane.
double correlation_lanes_bytes(int dim, int num_vectors);

}  // namespace gnc
