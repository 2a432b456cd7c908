#pragma once
/// Reductions over the 32 lanes of a warp, in a fixed order: every lane gets the same bits, on every run.

#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

inline constexpr unsigned kFullWarp = 0xffffffffu;
inline constexpr int kWarpSize = 32;

/// `combine` must be commutative (floating-point addition and maximum are): then each round of the butterfly
/// computes the same pair on both sides, and all lanes end with the same bits.
template <class T, class Combine>
__device__ T warp_reduce(T value, Combine combine) {
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
    value = combine(value, __shfl_xor_sync(kFullWarp, value, distance));
  return value;
}

__device__ inline float warp_sum(float value) {
  return warp_reduce(value, [](float a, float b) { return a + b; });
}

/// Ignores NaN unless all are NaN.
__device__ inline float warp_max(float value) {
  return warp_reduce(value, [](float a, float b) { return fmaxf(a, b); });
}

__device__ inline int warp_min(int value) {
  return warp_reduce(value, [](int a, int b) { return a < b ? a : b; });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
