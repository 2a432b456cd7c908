#include <gtest/gtest.h>

#include <climits>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/simt.h"
#include "tests/simt/block_sum.h"

namespace gnc::kernels {
namespace {

constexpr unsigned kAll = 0xffffffffu;

/// Results of the 32 lanes of one warp, `kernel(out)` writes out[lane].
template <class T>
std::vector<T> of_warp(void (*kernel)(T*)) {
  std::vector<T> out(32);
  launch({.grid = {1}, .block = {32}}, kernel, out.data());
  return out;
}

template <class T, int kSource>
__global__ void shuffle_from(T* out) {
  out[threadIdx.x] = __shfl_sync(kAll, static_cast<T>(threadIdx.x) - T{7}, kSource);
}

TEST(Shuffle, TakesTheSourceModulo32_InAnyType) {
  EXPECT_EQ(of_warp(shuffle_from<int, 5>), std::vector<int>(32, -2));
  EXPECT_EQ(of_warp(shuffle_from<int, 37>), std::vector<int>(32, -2));
  EXPECT_EQ(of_warp(shuffle_from<int, -1>), std::vector<int>(32, 24));
  EXPECT_EQ(of_warp(shuffle_from<float, 1>), std::vector<float>(32, -6.0f));
  EXPECT_EQ(of_warp(shuffle_from<double, 1>), std::vector<double>(32, -6.0));
  EXPECT_EQ(of_warp(shuffle_from<std::int64_t, 0>), std::vector<std::int64_t>(32, -7));
}

__global__ void shuffle_from_own_choice(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_sync(kAll, 100 + lane, 31 - lane);
}
__global__ void shuffle_xor(int* out) {
  out[threadIdx.x] = __shfl_xor_sync(kAll, static_cast<int>(threadIdx.x), 5);
}
__global__ void shuffle_down(int* out) {
  out[threadIdx.x] = __shfl_down_sync(kAll, static_cast<int>(threadIdx.x), 3);
}
__global__ void shuffle_up(int* out) {
  out[threadIdx.x] = __shfl_up_sync(kAll, static_cast<int>(threadIdx.x), 3);
}

TEST(Shuffle, MovesValuesBetweenLanes) {
  const auto chosen = of_warp(shuffle_from_own_choice), xored = of_warp(shuffle_xor),
             down = of_warp(shuffle_down), up = of_warp(shuffle_up);
  for (std::size_t lane = 0; lane < 32; ++lane) {
    const int l = static_cast<int>(lane);
    EXPECT_EQ(chosen[lane], 131 - l);
    EXPECT_EQ(xored[lane], l ^ 5);
    EXPECT_EQ(down[lane], l < 29 ? l + 3 : l) << "lanes past the end keep their own";
    EXPECT_EQ(up[lane], l >= 3 ? l - 3 : l) << "lanes before the first keep their own";
  }
}

__global__ void ballot(unsigned* out) {
  out[threadIdx.x] = __ballot_sync(kAll, threadIdx.x % 3 == 0 ? 8 : 0);
}

TEST(Vote, CollectsOneBitALane) {
  EXPECT_EQ(of_warp(ballot), std::vector<unsigned>(32, 0b01001001001001001001001001001001u));
}

template <unsigned kTrueLanes>
__global__ void any_and_all(int* out) {
  const int vote = (kTrueLanes >> threadIdx.x & 1u) != 0 ? -3 : 0;
  out[threadIdx.x] = (__any_sync(kAll, vote) ? 10 : 0) + (__all_sync(kAll, vote) ? 1 : 0);
}

TEST(Vote, TellsAnyAndAll) {
  EXPECT_EQ(of_warp(any_and_all<0u>), std::vector<int>(32, 0));
  EXPECT_EQ(of_warp(any_and_all<1u << 31>), std::vector<int>(32, 10));
  EXPECT_EQ(of_warp(any_and_all<0x7fffffffu>), std::vector<int>(32, 10));
  EXPECT_EQ(of_warp(any_and_all<kAll>), std::vector<int>(32, 11));
}

struct Reduced {
  int sum, least, most;
  unsigned unsigned_sum, unsigned_most;
};
__global__ void reduce_some(Reduced* out) {
  const int value = static_cast<int>(threadIdx.x) - 20;  // −20…11
  const auto bits = static_cast<unsigned>(value);
  out[threadIdx.x] = {__reduce_add_sync(kAll, value), __reduce_min_sync(kAll, value),
                      __reduce_max_sync(kAll, value), __reduce_add_sync(kAll, bits),
                      __reduce_max_sync(kAll, bits)};
}

TEST(Reduce, TakesNegativeNumbers) {
  for (const Reduced& r : of_warp(reduce_some)) {
    EXPECT_EQ(r.sum, -144);
    EXPECT_EQ(r.least, -20);
    EXPECT_EQ(r.most, 11);
    EXPECT_EQ(r.unsigned_sum, static_cast<unsigned>(-144));
    EXPECT_EQ(r.unsigned_most, kAll);
  }
}

__global__ void reduce_beyond_int(int* out) { out[threadIdx.x] = __reduce_add_sync(kAll, INT_MAX); }

TEST(Reduce, WrapsAround) { EXPECT_EQ(of_warp(reduce_beyond_int), std::vector<int>(32, -32)); }

/// The two halves of every warp do different things at once, and a different number of them.
__global__ void halves_apart(int* out) {
  const unsigned lane = threadIdx.x % 32;
  int result = 0;
  if (lane < 16) {
    for (int i = 0; i < 5; ++i) result += __reduce_add_sync(0x0000ffffu, static_cast<int>(lane));
  } else {
    result = static_cast<int>(__ballot_sync(0xffff0000u, lane % 2 == 0));
    result = __shfl_xor_sync(0xffff0000u, result + static_cast<int>(lane), 1);
  }
  out[threadIdx.x] = result + __all_sync(kAll, 1);
}

TEST(Mask, LetsPartsOfAWarpGoTheirOwnWays) {
  std::vector<int> out(96);
  launch({.grid = {1}, .block = {96}}, halves_apart, out.data());
  for (unsigned i = 0; i < 96; ++i) {
    const unsigned lane = i % 32;
    EXPECT_EQ(out[i], lane < 16 ? 5 * 120 + 1 : static_cast<int>(0x55550000u + (lane ^ 1u)) + 1) << i;
  }
}

/// Interleaved masks that change from one collective to the next.
__global__ void changing_masks(int* out) {
  const unsigned lane = threadIdx.x;
  int sum = 0;
  for (unsigned group = 1; group <= 32; group *= 2) {
    unsigned mask = 0;
    for (unsigned i = lane % group; i < 32; i += group) mask |= 1u << i;
    sum += __reduce_add_sync(mask, 1);
  }
  out[lane] = sum;
}

TEST(Mask, MayChangeFromOneCollectiveToTheNext) {
  EXPECT_EQ(of_warp(changing_masks), std::vector<int>(32, 32 + 16 + 8 + 4 + 2 + 1));
}

__global__ void read_outside_the_mask(float* out) {
  if (threadIdx.x < 8) out[threadIdx.x] = __shfl_xor_sync(0xffu, 1.0f, threadIdx.x < 4 ? 1 : 8);
}

TEST(Mask, GivesNaN_ForLanesThatItLeavesOut) {
  const std::vector<float> out = of_warp(read_outside_the_mask);
  for (std::size_t lane = 0; lane < 8; ++lane) {
    if (lane < 4) {
      EXPECT_EQ(out[lane], 1.0f);
    } else {
      EXPECT_TRUE(std::isnan(out[lane]));
    }
  }
}

/// Sum by shuffles over the lanes there are.
__global__ void sum_of_short_warp(int* out) {
  const unsigned mask = lanes_of_warp(), lane = threadIdx.x % 32, lanes = static_cast<unsigned>(__popc(mask));
  int value = static_cast<int>(threadIdx.x);
  for (unsigned distance = 16; distance > 0; distance /= 2) {
    const int other = __shfl_down_sync(mask, value, distance);
    if (lane + distance < lanes) value += other;
  }
  __syncwarp(mask);
  out[threadIdx.x] = __shfl_sync(mask, value, 0);
}

TEST(Mask, MayNameTheLanesOfAShortWarp) {
  for (const unsigned threads : {1u, 2u, 31u, 33u, 63u}) {
    std::vector<int> out(threads);
    launch({.grid = {1}, .block = {threads}}, sum_of_short_warp, out.data());
    for (unsigned i = 0; i < threads; ++i) {
      const unsigned first = i / 32 * 32, end = std::min(threads, first + 32);
      EXPECT_EQ(out[i], static_cast<int>((end - first) * (first + end - 1) / 2)) << threads << " threads";
    }
  }
}

/// Lanes hand a value around the warp through shared memory.
__global__ void pass_on(int* out) {
  __shared__ int cell[32];
  int value = static_cast<int>(threadIdx.x);
  for (int i = 0; i < 40; ++i) {
    cell[threadIdx.x] = value;
    __syncwarp();
    value = cell[(threadIdx.x + 1) % 32];
    __syncwarp();
  }
  out[threadIdx.x] = value;
}

TEST(Syncwarp, OrdersSharedMemory) {
  const std::vector<int> out = of_warp(pass_on);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(out[static_cast<std::size_t>(i)], (i + 40) % 32);
}

}  // namespace
}  // namespace gnc::kernels
