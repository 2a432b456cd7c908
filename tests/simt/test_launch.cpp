#include <gtest/gtest.h>

#include <cstdint>
#include <thread>
#include <vector>

#include "kernels/bfloat16.h"
#include "kernels/simt.h"
#include "tests/simt/block_sum.h"

namespace gnc::kernels {
namespace {

struct Seen {
  uint3 thread, block;
  dim3 threads, blocks;
  int visits;
};

__global__ void write_indices(Seen* seen) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  Seen& mine = seen[block * threads_of_block() + thread_in_block()];
  mine = {threadIdx, blockIdx, blockDim, gridDim, mine.visits + 1};
}

void expect_every_index(const dim3& grid, const dim3& block) {
  SCOPED_TRACE(testing::Message() << "block " << block.x << "," << block.y << "," << block.z);
  const std::size_t threads = std::size_t{block.x} * block.y * block.z;
  std::vector<Seen> seen(grid.x * grid.y * grid.z * threads, Seen{{}, {}, {}, {}, 0});
  launch({.grid = grid, .block = block}, write_indices, seen.data());
  std::size_t i = 0;
  for (unsigned bz = 0; bz < grid.z; ++bz)
    for (unsigned by = 0; by < grid.y; ++by)
      for (unsigned bx = 0; bx < grid.x; ++bx)
        for (unsigned tz = 0; tz < block.z; ++tz)
          for (unsigned ty = 0; ty < block.y; ++ty)
            for (unsigned tx = 0; tx < block.x; ++tx, ++i) {
              const Seen& s = seen[i];
              ASSERT_EQ(s.visits, 1) << i;
              ASSERT_TRUE(s.thread.x == tx && s.thread.y == ty && s.thread.z == tz) << i;
              ASSERT_TRUE(s.block.x == bx && s.block.y == by && s.block.z == bz) << i;
              ASSERT_TRUE(s.threads.x == block.x && s.threads.y == block.y && s.threads.z == block.z) << i;
              ASSERT_TRUE(s.blocks.x == grid.x && s.blocks.y == grid.y && s.blocks.z == grid.z) << i;
            }
}

TEST(Launch, RunsEveryThreadOnce_InAnyShape) {
  expect_every_index({1}, {1});
  expect_every_index({3}, {33});
  expect_every_index({2}, {1024});
  expect_every_index({2, 3, 4}, {4, 5, 6});
  expect_every_index({1, 1, 5}, {1, 1, 64});
  expect_every_index({5, 2}, {16, 64});
  expect_every_index({1031}, {7});
}

__global__ void count(int* runs) { atomicAdd(runs, 1); }

TEST(Launch, RunsThousandsOfTimes) {
  int runs = 0;
  for (int i = 0; i < 3000; ++i) launch({.grid = {3}, .block = {2}}, count, &runs);
  EXPECT_EQ(runs, 3000 * 3 * 2);
}

TEST(Launch, WorksAnew_AfterBlocksOfOtherShapes) {
  for (const unsigned threads : {1u, 1024u, 33u, 512u, 32u}) {
    std::vector<int> sums(3 * 2 * threads, -1);
    launch({.grid = {2}, .block = {threads}}, block_sums<Barriers::kBoth>, 3, sums.data());
    for (int call = 0; call < 3; ++call)
      for (unsigned i = 0; i < 2 * threads; ++i)
        ASSERT_EQ(sums[static_cast<unsigned>(call) * 2 * threads + i],
                  expected_block_sum(call, i / threads, threads))
            << threads << " threads, call " << call << ", element " << i;
  }
}

TEST(Launch, MayComeFromTwoThreadsAtOnce) {
  std::vector<int> runs(2, 0);
  const auto launch_often = [&](std::size_t which) {
    for (int i = 0; i < 200; ++i) launch({.grid = {2}, .block = {33}}, count, &runs[which]);
  };
  std::thread other(launch_often, 1);
  launch_often(0);
  other.join();
  EXPECT_EQ(runs[0], 200 * 2 * 33);
  EXPECT_EQ(runs[1], 200 * 2 * 33);
}

__global__ void convert(float2 pair, double scale, unsigned char* out) {
  *out = static_cast<unsigned char>((pair.x + pair.y) * static_cast<float>(scale));
}

TEST(Launch, ConvertsArgumentsToTheKernelsOwnTypes) {
  unsigned char out = 0;
  launch({.grid = {1}, .block = {1}}, convert, make_float2(1, 2), 7, &out);
  EXPECT_EQ(out, 21);
}

/// Adds in bf16, with vectors of four floats and of two words.
__global__ void add_vectors(const float4* a, const uint2* b_pairs, float4* sum, Bf16* rounded) {
  const float4 x = __ldg(a + threadIdx.x);
  const uint2 bits = b_pairs[threadIdx.x];
  const float4 total = make_float4(x.x + to_float(Bf16{static_cast<std::uint16_t>(bits.x)}),
                                   x.y + to_float(Bf16{static_cast<std::uint16_t>(bits.x >> 16)}),
                                   x.z + to_float(Bf16{static_cast<std::uint16_t>(bits.y)}),
                                   x.w + to_float(Bf16{static_cast<std::uint16_t>(bits.y >> 16)}));
  __stcs(sum + threadIdx.x, total);
  rounded[threadIdx.x] = from_float<Bf16>(total.x);
}

TEST(Launch, TakesVectorsAndBf16) {
  static_assert(alignof(float2) == 8 && alignof(float4) == 16 && alignof(uint2) == 8 && alignof(uint4) == 16);
  std::vector<float4> a(40), sum(40);
  std::vector<uint2> b(40, make_uint2(0x40003f80u, 0x40804040u));  // 1, 2; 3, 4
  std::vector<Bf16> rounded(40);
  for (unsigned i = 0; i < 40; ++i) a[i] = make_float4(static_cast<float>(i), 10, 20, 30);
  launch({.grid = {1}, .block = {40}}, add_vectors, a.data(), b.data(), sum.data(), rounded.data());
  for (unsigned i = 0; i < 40; ++i) {
    EXPECT_EQ(sum[i].x, static_cast<float>(i) + 1);
    EXPECT_EQ(sum[i].y, 12);
    EXPECT_EQ(sum[i].z, 23);
    EXPECT_EQ(sum[i].w, 34);
    EXPECT_EQ(to_float(rounded[i]), static_cast<float>(i) + 1);
  }
}

__global__ void halve_denormal(float* value) { *value = *value / 2; }

TEST(Launch, KeepsDenormals) {
  float value = 1e-39f;
  launch({.grid = {1}, .block = {1}}, halve_denormal, &value);
  EXPECT_EQ(value, 5e-40f);
}

}  // namespace
}  // namespace gnc::kernels
