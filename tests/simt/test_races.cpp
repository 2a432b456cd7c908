#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "kernels/simt.h"
#include "tests/simt/block_sum.h"

// Planted races, found by wrong results alone, without a sanitizer. A fair order of threads misses them.
namespace gnc::kernels {
namespace {

constexpr std::uint64_t kSeeds = 20;

/// How many of the seeds 1…kSeeds make `is_wrong()` true.
template <class IsWrong>
int seeds_that_find(const IsWrong& is_wrong) {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    emulator::set_seed(seed);
    if (is_wrong()) ++found;
  }
  return found;
}

template <Barriers kBarriers>
bool has_wrong_block_sums() {
  constexpr unsigned kThreads = 128, kBlocks = 2;
  constexpr int kCalls = 4;
  std::vector<int> sums(kCalls * kBlocks * kThreads);
  launch({.grid = {kBlocks}, .block = {kThreads}}, block_sums<kBarriers>, kCalls, sums.data());
  for (unsigned i = 0; i < sums.size(); ++i) {
    const int call = static_cast<int>(i / (kBlocks * kThreads));
    if (sums[i] != expected_block_sum(call, i / kThreads % kBlocks, kThreads)) return true;
  }
  return false;
}

TEST(Race, IsFound_WhenSharedMemoryIsReusedWithoutABarrier) {
  EXPECT_GE(seeds_that_find([] { return has_wrong_block_sums<Barriers::kNoneBeforeReuse>(); }), 15);
}

TEST(Race, IsFound_WhenPartialSumsAreReadWithoutABarrier) {
  EXPECT_GE(seeds_that_find([] { return has_wrong_block_sums<Barriers::kNoneAfterPartials>(); }), 15);
}

TEST(Race, IsNotThere_WithBothBarriers) {
  EXPECT_EQ(seeds_that_find([] { return has_wrong_block_sums<Barriers::kBoth>(); }), 0);
}

/// Which of the two __syncwarp of `pass_on` are there.
enum class WarpSyncs { kBoth, kNoneAfterWrite, kNoneBeforeReuse };

/// Hands a value around the warp. A collective over half the warp keeps the lanes of a half together.
template <WarpSyncs kSyncs>
__global__ void pass_on(int* out) {
  __shared__ int cell[32];
  const unsigned lane = threadIdx.x, half = lane < 16 ? 0x0000ffffu : 0xffff0000u;
  int value = static_cast<int>(lane);
  for (int i = 0; i < 8; ++i) {
    cell[lane] = value;
    __syncwarp(kSyncs == WarpSyncs::kNoneAfterWrite ? half : 0xffffffffu);
    value = cell[(lane + 1) % 32];
    __syncwarp(kSyncs == WarpSyncs::kNoneBeforeReuse ? half : 0xffffffffu);
  }
  out[lane] = value;
}

template <WarpSyncs kSyncs>
bool passes_wrong_values() {
  std::vector<int> out(32);
  launch({.grid = {1}, .block = {32}}, pass_on<kSyncs>, out.data());
  for (int lane = 0; lane < 32; ++lane)
    if (out[static_cast<std::size_t>(lane)] != (lane + 8) % 32) return true;
  return false;
}

TEST(Race, IsFound_WhenHalvesOfAWarpAreNotBroughtTogether) {
  EXPECT_GE(seeds_that_find([] { return passes_wrong_values<WarpSyncs::kNoneAfterWrite>(); }), 10);
  EXPECT_GE(seeds_that_find([] { return passes_wrong_values<WarpSyncs::kNoneBeforeReuse>(); }), 10);
  EXPECT_EQ(seeds_that_find([] { return passes_wrong_values<WarpSyncs::kBoth>(); }), 0);
}

/// Every lane adds to one number without an atomic.
__global__ void add_without_atomic(int* sum) {
  for (int i = 0; i < 10; ++i) {
    const int before = *sum;
    __syncwarp();
    *sum = before + 1;
    __syncwarp();
  }
}

TEST(Race, IsFound_WhenLanesUpdateOneWordWithoutAnAtomic) {
  int sum = 0;
  launch({.grid = {1}, .block = {32}}, add_without_atomic, &sum);
  EXPECT_LT(sum, 32 * 10) << "no addition was lost";
}

}  // namespace
}  // namespace gnc::kernels
