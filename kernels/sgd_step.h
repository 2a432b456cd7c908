#pragma once
/// One step of stochastic gradient descent over a range of the parameter arena.

#include <cstdint>
#include <span>

#include "kernels/bfloat16.h"
#include "kernels/stream.h"
#include "kernels/versions.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Run r of an operand starts r times its run stride (in elements) after its pointer. The operands do not
/// overlap.
struct SgdStepArgs {
  float* values;                  ///< [elements], updated in place
  const float* gradients;         ///< [elements]
  float* momentum_buffer;         ///< [elements], updated in place
  Bf16* bf16_values = nullptr;    ///< [elements] or null: receives the new values, rounded to nearest even
  const float* losses = nullptr;  ///< [samples] or null: a run with one that is not finite is left as it was
  /// [1] or null: becomes 1 where a new value or momentum is not finite, and that element keeps the old ones
  std::int32_t* non_finite = nullptr;
  std::int64_t values_run_stride;
  std::int64_t gradients_run_stride;  ///< 0: shared by the runs
  std::int64_t momentum_buffer_run_stride;
  std::int64_t bf16_values_run_stride = 0;
  std::int64_t losses_run_stride = 0;
  std::int64_t non_finite_run_stride = 0;
  int samples = 0;
  std::int64_t elements;  ///< of one run
  int runs;               ///< at most 65535
  float learning_rate;
  float momentum;
  float weight_decay;
  bool is_nesterov = false;  ///< values move along step + momentum·momentum_buffer instead
};

/// step = gradient + weight_decay·value; momentum_buffer ← momentum·momentum_buffer + step;
/// value ← value − learning_rate·momentum_buffer, or with is_nesterov
/// value ← value − learning_rate·(step + momentum·momentum_buffer). Queues one kernel; throws LaunchError
/// (kernels/simt.h).
void sgd_step(const SgdStepArgs& args, Stream stream);

/// The ladder, from the bottom up; all rungs give the same bits.
std::span<const KernelVersion<SgdStepArgs>> sgd_step_versions();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
