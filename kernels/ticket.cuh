#pragma once
/// Blocks that share out work and leave putting it together to the last of them.

#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Whether this is the last of `blocks` blocks to come here, which then sees what all of them wrote before.
/// Asked by all threads of the block, which has one or two dimensions. The ticket is zero again when the last
/// has asked.
__device__ inline bool is_last_block(int* ticket, int blocks) {
  __shared__ int before;
  __threadfence();  // what this thread wrote is seen by whoever draws a later ticket
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) {
    before = atomicAdd(ticket, 1);
    if (before == blocks - 1) atomicExch(ticket, 0);
  }
  __syncthreads();
  const bool is_last = before == blocks - 1;
  if (is_last) __threadfence();  // and nothing is read that was fetched earlier
  return is_last;
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
