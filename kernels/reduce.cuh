#pragma once
/// Reductions over a warp and over a block, in a fixed order: every thread gets the same bits, on every run.

#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

inline constexpr unsigned kFullWarp = 0xffffffffu;
inline constexpr int kWarpSize = 32;

/// Each `combine` must be commutative (floating-point addition and maximum are): then each round of the
/// butterfly computes the same pair on both sides, and all lanes end with the same bits.
struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
/// Of floats; ignores NaN unless both are NaN.
struct Maximum {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};
struct Minimum {
  __device__ int operator()(int a, int b) const { return a < b ? a : b; }
};

/// Over the 32 lanes of a warp: lanes 16 apart, then 8, …, 1.
template <class Combine, class T>
__device__ T warp_reduce(T value, Combine combine = {}) {
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
    value = combine(value, __shfl_xor_sync(kFullWarp, value, distance));
  return value;
}

/// Over a block of kThreads in x: each warp, then the warps in their order. Called by all threads of the
/// block.
template <int kThreads, class Combine, class T>
__device__ T block_reduce(T value, Combine combine = {}) {
  static_assert(kThreads % kWarpSize == 0);
  constexpr int kWarps = kThreads / kWarpSize;
  __shared__ T of_warps[kWarps];
  value = warp_reduce(value, combine);
  if (threadIdx.x % kWarpSize == 0) of_warps[threadIdx.x / kWarpSize] = value;
  __syncthreads();
  value = of_warps[0];
  for (int warp = 1; warp < kWarps; ++warp) value = combine(value, of_warps[warp]);
  __syncthreads();  // before the next call overwrites what is read here
  return value;
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
