#pragma once
/// Gradients of one sample's logits, by a warp: what the kernels that make them share. Runs are blockIdx.y.

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/reduce.cuh"
#include "kernels/simt.h"
#include "kernels/ufm_math.cuh"
#include "kernels/ufm_step.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace ufm {

/// Where a row of logits, and that of gradients, begins.
template <class T, class Gradient>
__device__ std::int64_t row_of_logits(const UfmGradientArgs<T, Gradient>& args, int row) {
  return blockIdx.y * args.logits_run_stride + std::int64_t{row} * args.columns;
}

template <class T, class Gradient>
__device__ int label_of(const UfmGradientArgs<T, Gradient>& args, int row) {
  return args.labels[blockIdx.y * args.labels_run_stride + row];
}

/// The gradient of class y.
template <class T, class Gradient>
__device__ void store_gradient(const UfmGradientArgs<T, Gradient>& args, Gradient* to, T exponential, T sum,
                               int y, int label) {
  const T gradient =
      y < args.classes ? args.cross_entropy_scale * (exponential / sum - (y == label ? T{1} : T{0})) : T{0};
  if constexpr (std::is_same_v<T, Gradient>)
    *to = gradient;
  else
    *to = from_float<Gradient>(gradient);
}

/// By the lane that has the label's logit. A NaN or +∞ among the logits has made the sum NaN.
template <class T, class Gradient>
__device__ void store_loss(const UfmGradientArgs<T, Gradient>& args, int row, T sum, T of_label, T largest) {
  if (args.losses != nullptr)
    args.losses[blockIdx.y * args.losses_run_stride + row] = logarithm(sum) - (of_label - largest);
}

/// Reads a row of logits once, kPerLane of its columns per lane, and stores gradients and loss.
template <int kPerLane, class T, class Gradient>
__device__ void store_gradients_of_row(const UfmGradientArgs<T, Gradient>& args, int row, const T* logits) {
  Gradient* const gradients = args.gradients + row_of_logits(args, row);
  const int label = label_of(args, row), lane = static_cast<int>(threadIdx.x) % kWarpSize;
  T values[kPerLane], largest = -INFINITY, of_label = 0, sum = 0;
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) {
    const int y = lane + i * kWarpSize;
    values[i] = y < args.classes ? logits[y] : -INFINITY;  // whose exponential is 0
    largest = Larger{}(largest, values[i]);
    if (y == label) of_label = values[i];
  }
  largest = warp_reduce<Larger>(largest);
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) {
    values[i] = exponential(values[i] - largest);
    sum += values[i];
  }
  sum = warp_reduce<Sum>(sum);
  if (lane == label % kWarpSize) store_loss(args, row, sum, of_label, largest);
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) {
    const int y = lane + i * kWarpSize;
    if (y < args.columns) store_gradient(args, gradients + y, values[i], sum, y, label);
  }
}

}  // namespace ufm
}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
