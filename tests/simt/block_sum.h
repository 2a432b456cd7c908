#pragma once
/// A sum over the threads of a block, right and with each of its barriers left out.

#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Which of the two barriers of block_sum are there.
enum class Barriers {
  kBoth,
  kNoneAfterPartials,  ///< the partial sums are read before all are written
  kNoneBeforeReuse,    ///< the next call overwrites partial sums that are still read
};

/// Index of the calling thread in its block.
__device__ inline unsigned thread_in_block() {
  return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}
__device__ inline unsigned threads_of_block() { return blockDim.x * blockDim.y * blockDim.z; }

/// Mask of the lanes that the block has in the caller's warp: all 32 but in the last warp.
__device__ inline unsigned lanes_of_warp() {
  const unsigned rest = threads_of_block() - thread_in_block() / 32 * 32;
  return rest >= 32 ? 0xffffffffu : (1u << rest) - 1;
}

/// Sum of `value` over the block, in every thread.
template <Barriers kBarriers>
__device__ int block_sum(int value) {
  __shared__ int partials[32];
  const unsigned warp = thread_in_block() / 32, warps = (threads_of_block() + 31) / 32;
  const int partial = __reduce_add_sync(lanes_of_warp(), value);
  if (thread_in_block() % 32 == 0) partials[warp] = partial;  // @write partial
  if constexpr (kBarriers != Barriers::kNoneAfterPartials) __syncthreads();
  int sum = 0;
  for (unsigned i = 0; i < warps; ++i) sum += partials[i];  // @read partial
  if constexpr (kBarriers != Barriers::kNoneBeforeReuse) __syncthreads();
  return sum;
}

/// sums[call][block][thread] = sum over the threads t of the block of (call + 1)·(block + t).
template <Barriers kBarriers>
__global__ void block_sums(int calls, int* sums) {
  const unsigned threads = threads_of_block();
  for (int call = 0; call < calls; ++call) {
    const int value = (call + 1) * static_cast<int>(blockIdx.x + thread_in_block());
    const int sum = block_sum<kBarriers>(value);
    sums[(static_cast<unsigned>(call) * gridDim.x + blockIdx.x) * threads + thread_in_block()] = sum;
  }
}

/// What every thread of block `block` must get.
inline int expected_block_sum(int call, unsigned block, unsigned threads) {
  return (call + 1) * static_cast<int>(threads * block + threads * (threads - 1) / 2);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
