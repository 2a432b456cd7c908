#include <gtest/gtest.h>

#include <vector>

#include "kernels/simt.h"

namespace gnc::kernels {
namespace {

/// Every thread reads what another wrote before the barrier; the block's elements move `shifts` places on.
__global__ void rotate(int shifts, int* data) {
  for (int i = 0; i < shifts; ++i) {
    const int next = data[(threadIdx.x + 1) % blockDim.x];
    __syncthreads();
    data[threadIdx.x] = next;
    __syncthreads();
  }
}

TEST(Barrier, OrdersWhatThreadsOfABlockDo) {
  for (const unsigned threads : {1u, 2u, 31u, 33u, 257u, 1024u}) {
    std::vector<int> data(threads);
    for (unsigned i = 0; i < threads; ++i) data[i] = static_cast<int>(i);
    launch({.grid = {1}, .block = {threads}}, rotate, 9, data.data());
    for (unsigned i = 0; i < threads; ++i)
      ASSERT_EQ(data[i], static_cast<int>((i + 9) % threads)) << threads << " threads";
  }
}

/// Even and odd warps come to the same barrier through a function of their own: one place.
__device__ void arrive() { __syncthreads(); }
__global__ void arrive_by_two_ways(int* done) {
  if (threadIdx.x / 32 % 2 == 0)
    arrive();
  else
    arrive();
  atomicAdd(done, 1);
}

TEST(Barrier, IsOnePlace_WhereverItIsCalledFrom) {
  int done = 0;
  launch({.grid = {2}, .block = {128}}, arrive_by_two_ways, &done);
  EXPECT_EQ(done, 256);
}

/// Lanes past the end do nothing but come to the barriers.
__global__ void guarded_by_condition(int n, int* data) {
  const bool is_inside = static_cast<int>(threadIdx.x) < n;
  const int mine = is_inside ? data[threadIdx.x] : 0;
  __syncthreads();
  if (is_inside) data[n - 1 - static_cast<int>(threadIdx.x)] = mine;
}

TEST(Barrier, WaitsForThreadsThatHaveNothingToDo) {
  std::vector<int> data = {1, 2, 3, 4, 5};
  launch({.grid = {1}, .block = {64}}, guarded_by_condition, 5, data.data());
  EXPECT_EQ(data, (std::vector<int>{5, 4, 3, 2, 1}));
}

}  // namespace
}  // namespace gnc::kernels
