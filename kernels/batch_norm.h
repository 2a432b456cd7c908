#pragma once
/// Batch normalisation over the columns of a matrix, with an optional ReLU behind it and an optional addend
/// before that.

#include <cstddef>
#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/gradient_mode.h"
#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// What follows the normalisation in the same pass.
enum class Activation : std::uint8_t { kNone, kRelu };

/// x, y, addends and their gradients are matrices [rows,channels], channels side by side: the pixels of a
/// batch in any order. Rows of x and x_grad may be further apart than they are long (a slice of the channels
/// of wider images): by their pitch, in elements. One matrix per run.
struct BatchNormExtents {
  std::int64_t rows;  ///< m, at least 1
  int channels;       ///< at least 1
  int runs;           ///< at most 65535
};

/// Bytes that the workspace of one training pass (forward or backward) has to hold; aligned to a double.
std::size_t batch_norm_workspace(const BatchNormExtents& extents);

/// Tickets of any training pass, of channels several layers normalise and before a pooling, too: zero before
/// it, and again after it.
int batch_norm_tickets(const BatchNormExtents& extents);

/// T is float or Bf16. Run r of an operand starts r times its run stride (in elements) after its pointer; a
/// stride of 0 shares what is read. What is per channel is [channels].
template <class T>
struct BatchNormForwardArgs {
  const T* x;
  const float* scale;
  const float* shift;
  float* running_mean;      ///< updated
  float* running_variance;  ///< updated
  float* mean;              ///< of this batch, for the backward pass
  float* invstd;            ///< likewise
  T* y;                     ///< not x; may be the addend
  float* workspace;         ///< batch_norm_workspace(); not used where the statistics are given
  int* tickets;             ///< batch_norm_tickets(); likewise
  std::int64_t x_run_stride;
  std::int64_t x_pitch;
  std::int64_t scale_run_stride;
  std::int64_t shift_run_stride;
  std::int64_t running_mean_run_stride;
  std::int64_t running_variance_run_stride;
  std::int64_t mean_run_stride;
  std::int64_t invstd_run_stride;
  std::int64_t y_run_stride;
  BatchNormExtents extents;
  float epsilon;
  float momentum;  ///< weight of this batch in the running statistics
  Activation activation;
  const T* addend = nullptr;  ///< null: none
  std::int64_t addend_run_stride = 0;
  const float* variance =
      nullptr;  ///< of x, given as mean and invstd are, which are read then; null: none is
  std::int64_t variance_run_stride = 0;
};

/// mean = Σx/m, invstd = 1/√(Σ(x−mean)²/m + epsilon), y = act(scale·invstd·(x−mean) + shift + addend); the
/// running statistics move by `momentum` towards those of the batch, with the variance over m−1 (m where m =
/// 1). Queues two kernels, or one where the statistics are given; throws LaunchError (kernels/simt.h).
template <class T>
void batch_norm_forward(const BatchNormForwardArgs<T>& args, Stream stream);

template <class T>
struct BatchNormApplyArgs {
  const T* x;
  const float* scale;
  const float* shift;
  const float* mean;    ///< as batch_norm_forward left it
  const float* invstd;  ///< likewise
  T* y;                 ///< not x
  std::int64_t x_run_stride;
  std::int64_t x_pitch;
  std::int64_t scale_run_stride;
  std::int64_t shift_run_stride;
  std::int64_t mean_run_stride;
  std::int64_t invstd_run_stride;
  std::int64_t y_run_stride;
  BatchNormExtents extents;
  Activation activation;
};

/// The y of batch_norm_forward once more, to the bit. Queues one kernel; throws LaunchError.
template <class T>
void batch_norm_apply(const BatchNormApplyArgs<T>& args, Stream stream);

template <class T>
struct BatchNormInferenceArgs {
  const T* x;
  const float* scale;
  const float* shift;
  const float* running_mean;
  const float* running_variance;
  T* y;  ///< may be x or the addend
  std::int64_t x_run_stride;
  std::int64_t x_pitch;
  std::int64_t scale_run_stride;
  std::int64_t shift_run_stride;
  std::int64_t running_mean_run_stride;
  std::int64_t running_variance_run_stride;
  std::int64_t y_run_stride;
  BatchNormExtents extents;
  float epsilon;
  Activation activation;
  const T* addend = nullptr;  ///< null: none
  std::int64_t addend_run_stride = 0;
};

/// y = act(scale·(x−running_mean)/√(running_variance + epsilon) + shift + addend). Queues one kernel; throws
/// LaunchError.
template <class T>
void batch_norm_inference(const BatchNormInferenceArgs<T>& args, Stream stream);

template <class T>
struct BatchNormBackwardArgs {
  const T* x;
  const float* scale;
  const float* shift;
  const float* mean;    ///< as the forward pass left it
  const float* invstd;  ///< likewise
  const T* y_grad;
  T* x_grad;  ///< may be y_grad, unless it accumulates
  float* scale_grad;
  float* shift_grad;
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
  BatchNormExtents extents;
  Activation activation;
  GradientMode x_grad_mode;
  const T* y = nullptr;      ///< of a forward pass with an addend and a ReLU; else null
  T* addend_grad = nullptr;  ///< given with y; may be y_grad, not x_grad
  std::int64_t y_run_stride = 0;
  std::int64_t addend_grad_run_stride = 0;
};

/// With g = y_grad where the forward pass's ReLU (to the bit) let x through, else 0, and x̂ = (x−mean)·invstd:
/// shift_grad = Σg, scale_grad = Σg·x̂, x_grad = scale·invstd·(g − shift_grad/m − x̂·scale_grad/m). Overwrites
/// them, or adds to x_grad. Given y, the mask is where y > 0, and g is written to addend_grad, too.
/// Queues two kernels; throws LaunchError.
template <class T>
void batch_norm_backward(const BatchNormBackwardArgs<T>& args, Stream stream);

template <class T>
struct BatchNormInferenceBackwardArgs {
  const T* x;
  const float* scale;
  const float* shift;
  const float* running_mean;
  const float* running_variance;
  const T* y_grad;
  T* x_grad;  ///< may be y_grad, unless it accumulates
  std::int64_t x_run_stride;
  std::int64_t x_pitch;
  std::int64_t scale_run_stride;
  std::int64_t shift_run_stride;
  std::int64_t running_mean_run_stride;
  std::int64_t running_variance_run_stride;
  std::int64_t y_grad_run_stride;
  std::int64_t x_grad_run_stride;
  std::int64_t x_grad_pitch;
  BatchNormExtents extents;
  float epsilon;
  Activation activation;
  GradientMode x_grad_mode;
};

/// x_grad = g·scale/√(running_variance + epsilon), g being y_grad where batch_norm_inference's ReLU (to the
/// bit) lets x through, else 0; overwrites, or adds. Queues one kernel; throws LaunchError.
template <class T>
void batch_norm_inference_backward(const BatchNormInferenceBackwardArgs<T>& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
