#pragma once
/// Batch normalisation of channels that several layers normalise: one mean and variance for all of them, and
/// one pass over the images each way.

#include <cstddef>
#include <cstdint>

#include "kernels/batch_norm.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

// Matrices, runs, strides and what is per channel as in batch_norm.h.

template <class T>
struct BatchNormStatisticsArgs {
  const T* x;
  float* mean;
  float* variance;
  float* invstd;
  float* workspace;  ///< batch_norm_workspace()
  int* tickets;      ///< batch_norm_tickets()
  std::int64_t x_run_stride;
  std::int64_t x_pitch;
  std::int64_t mean_run_stride;
  std::int64_t variance_run_stride;
  std::int64_t invstd_run_stride;
  BatchNormExtents extents;
  float epsilon;
};

/// mean = Σx/m, variance = Σ(x−mean)²/m, invstd = 1/√(variance + epsilon): mean and invstd are those of
/// batch_norm_forward for the same matrix, to the bit. Queues one kernel; throws LaunchError
/// (kernels/simt.h).
template <class T>
void batch_norm_statistics_shared(const BatchNormStatisticsArgs<T>& args, Stream stream);

template <class T>
struct BatchNormSharedBackwardArgs {
  const T* x;
  const float* scale;
  const float* shift;
  const float* mean;
  const float* invstd;
  const T* y_grad;
  T* x_grad;  ///< updated; not y_grad
  float* scale_grad;
  float* shift_grad;
  float* deferred_mean;
  float* deferred_tilt;
  float* workspace;  ///< batch_norm_workspace()
  int* tickets;      ///< batch_norm_tickets()
  std::int64_t x_run_stride;
  std::int64_t x_pitch;
  std::int64_t scale_run_stride;
  std::int64_t shift_run_stride;
  std::int64_t mean_run_stride;
  std::int64_t invstd_run_stride;
  std::int64_t y_grad_run_stride;
  std::int64_t x_grad_run_stride;
  std::int64_t x_grad_pitch;
  std::int64_t scale_grad_run_stride;
  std::int64_t shift_grad_run_stride;
  std::int64_t deferred_mean_run_stride;
  std::int64_t deferred_tilt_run_stride;
  BatchNormExtents extents;
  Activation activation;
  GradientMode deferred_mode;
};

/// With g as in batch_norm_backward and slope = scale·invstd: shift_grad = Σg, scale_grad = Σg·x̂, x_grad +=
/// slope·g. What then lacks of batch_norm_backward's x_grad overwrites, or is added to, the deferred terms:
/// slope·shift_grad/m and slope·invstd·scale_grad/m. Queues one kernel; throws LaunchError.
template <class T>
void batch_norm_shared_backward(const BatchNormSharedBackwardArgs<T>& args, Stream stream);

template <class T>
struct BatchNormSharedFinishArgs {
  const T* x;
  const float* mean;
  const float* deferred_mean;
  const float* deferred_tilt;
  T* x_grad;  ///< updated
  std::int64_t x_run_stride;
  std::int64_t x_pitch;
  std::int64_t mean_run_stride;
  std::int64_t deferred_mean_run_stride;
  std::int64_t deferred_tilt_run_stride;
  std::int64_t x_grad_run_stride;
  std::int64_t x_grad_pitch;
  BatchNormExtents extents;
};

/// x_grad −= deferred_mean + (x − mean)·deferred_tilt. Queues one kernel; throws LaunchError.
template <class T>
void batch_norm_shared_finish(const BatchNormSharedFinishArgs<T>& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
