#pragma once
/// Descent for the minimized maximal correlation: restarts of a frame search that fit into one block each.

#include <cstdint>

#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// T is float or double. Run r of an operand starts r times its run stride (in elements) after its pointer.
template <class T>
struct CorrelationDescentArgs {
  T* vectors;                ///< [classes,dim], updated; rows that are not zero become unit rows
  const T* first_sharpness;  ///< [1]
  T* values;                 ///< [1], written
  std::int64_t vectors_run_stride;
  std::int64_t first_sharpness_run_stride;
  std::int64_t values_run_stride;
  int classes;
  int dim;
  int runs;
  bool is_absolute;
  T growth;
  T last_sharpness;
  int iterations_per_stage;
};

/// Bytes of shared memory a restart takes: five arrays [classes,dim] and two for each of six remembered
/// steps, and two [classes,classes].
template <class T>
std::int64_t correlation_descent_bytes(int classes, int dim);

/// Most of them: 96 KB, which is what all GPUs from sm_80 on have.
inline constexpr std::int64_t kCorrelationDescentMostBytes = 96 * 1024;

/// As engine/ops/correlation_descent.h says, by limited-memory BFGS, whole schedules in one launch. Queues
/// one kernel; throws LaunchError (kernels/simt.h).
template <class T>
void correlation_descent(const CorrelationDescentArgs<T>& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
