#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "kernels/simt.h"
#include "tests/simt/block_sum.h"

namespace gnc::kernels {
namespace {

template <class T>
concept HasAtomicAdd = requires(T* address, T value) {
  atomicAdd(address, value);
};
static_assert(HasAtomicAdd<int> && HasAtomicAdd<unsigned> && HasAtomicAdd<unsigned long long>);
static_assert(!HasAtomicAdd<float> && !HasAtomicAdd<double>, "sums that depend on the order of threads");

/// Every thread adds three by compare and swap.
__global__ void add_by_swapping(int* value) {
  int before = atomicAdd(value, 0);
  for (;;) {
    const int found = atomicCAS(value, before, before + 3);
    if (found == before) return;
    before = found;
  }
}

/// Exactly one thread finds the flag down.
__global__ void raise_flag(int* flag, int* firsts) {
  if (atomicExch(flag, 1) == 0) atomicAdd(firsts, 1);
}

TEST(Atomics, LoseNothing_AcrossBlocks) {
  int value = 5;
  launch({.grid = {64}, .block = {33}}, add_by_swapping, &value);
  EXPECT_EQ(value, 5 + 3 * 64 * 33);
  int flag = 0, firsts = 0;
  launch({.grid = {64}, .block = {33}}, raise_flag, &flag, &firsts);
  EXPECT_EQ(flag, 1);
  EXPECT_EQ(firsts, 1);
}

__global__ void add_and_max(unsigned long long* sum, int* largest, unsigned* count) {
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(sum, 1ull << 32);
  atomicMax(largest, static_cast<int>(thread) - 5000);
  atomicAdd(count, 1);
}

TEST(Atomics, TakeWideAndNegativeNumbers) {
  unsigned long long sum = 0;
  int largest = -100000;
  unsigned count = 0xffffffffu;
  launch({.grid = {10}, .block = {100}}, add_and_max, &sum, &largest, &count);
  EXPECT_EQ(sum, 1000ull << 32);
  EXPECT_EQ(largest, 999 - 5000);
  EXPECT_EQ(count, 999u) << "wraps around";
}

/// Sum of 1…n in one launch: every block sums its part, the last one that is done sums the parts.
__global__ void sum_in_one_launch(int n, int* parts, unsigned* done, int* sum) {
  __shared__ bool is_last;
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int part = block_sum<Barriers::kBoth>(i < n ? i + 1 : 0);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = part;
    __threadfence();
    is_last = atomicAdd(done, 1) == gridDim.x - 1;
    __threadfence();
  }
  __syncthreads();
  if (!is_last) return;
  int mine = 0;
  for (unsigned block = threadIdx.x; block < gridDim.x; block += blockDim.x) mine += parts[block];
  const int total = block_sum<Barriers::kBoth>(mine);
  if (threadIdx.x == 0) *sum = total;
}

TEST(Atomics, FindTheLastBlock_ThatSeesWhatAllOthersWrote) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    emulator::set_seed(seed);
    constexpr int kElements = 1031;
    constexpr unsigned kThreads = 64, kBlocks = (kElements + kThreads - 1) / kThreads;
    std::vector<int> parts(kBlocks);
    unsigned done = 0;
    int sum = 0;
    launch({.grid = {kBlocks}, .block = {kThreads}}, sum_in_one_launch, kElements, parts.data(), &done, &sum);
    ASSERT_EQ(sum, kElements * (kElements + 1) / 2) << "seed " << seed;
  }
}

}  // namespace
}  // namespace gnc::kernels
