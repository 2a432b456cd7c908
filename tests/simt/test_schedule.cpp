#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "kernels/simt_tensor_core.h"
#include "tests/simt/block_sum.h"
#include "tests/support/program.h"

namespace gnc::kernels {
namespace {

constexpr std::uint64_t kSeeds = 24;

/// A bit of everything, right: copies, tensor cores, shuffles and sums over blocks.
__global__ void mixture(const float* in, float* out) {
  auto* const stage = dynamic_shared<float>();
  const unsigned thread = threadIdx.x, threads = blockDim.x, self = blockIdx.x * threads + thread;
  cp_async<4>(stage + thread, in + self);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  const float neighbour = stage[(thread * 7 + 3) % threads];
  const std::uint32_t a[4] = {to_tf32(neighbour), to_tf32(stage[thread]), to_tf32(1.5f), to_tf32(neighbour)};
  const std::uint32_t b[2] = {to_tf32(stage[threads - 1 - thread]), to_tf32(0.1f)};
  float d[4] = {neighbour, 0, 1, 2};
  mma_m16n8k8_tf32(d, a, b);
  float sum = d[0] + d[1] + d[2] + d[3];
  for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
  __syncthreads();
  stage[thread] = sum;
  __syncthreads();
  float total = 0;
  for (unsigned i = 0; i < threads; ++i) total += stage[i] / 3;
  out[self] = total + static_cast<float>(block_sum<Barriers::kBoth>(static_cast<int>(neighbour * 100)));
}

std::vector<float> mixture_with(std::uint64_t seed) {
  constexpr unsigned kThreads = 96, kBlocks = 5;
  emulator::set_seed(seed);
  std::vector<float> in(kBlocks * kThreads), out(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i * 37 % 101) / 7;
  launch({.grid = {kBlocks}, .block = {kThreads}, .shared_bytes = kThreads * sizeof(float)}, mixture,
         in.data(), out.data());
  return out;
}

TEST(Seed, ChangesNoBit_OfARightKernel) {
  const std::vector<float> first = mixture_with(1);
  for (std::uint64_t seed = 2; seed <= kSeeds; ++seed) {
    const std::vector<float> other = mixture_with(seed);
    for (std::size_t i = 0; i < first.size(); ++i)
      ASSERT_EQ(std::bit_cast<std::uint32_t>(first[i]), std::bit_cast<std::uint32_t>(other[i]))
          << "seed " << seed << ", element " << i;
  }
}

/// order[turn] = the thread whose turn it was; every thread has two.
__global__ void take_turns(int* turns, int* order) {
  for (int i = 0; i < 2; ++i) {
    order[atomicAdd(turns, 1)] = static_cast<int>(threadIdx.x);
    __syncwarp();
  }
}

std::vector<int> order_with(std::uint64_t seed) {
  emulator::set_seed(seed);
  int turns = 0;
  std::vector<int> order(2 * 96, -1);
  launch({.grid = {1}, .block = {96}}, take_turns, &turns, order.data());
  return order;
}

TEST(Seed, GivesTheOrderOfThreads) {
  EXPECT_EQ(order_with(3), order_with(3));
  std::vector<std::vector<int>> orders;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) orders.push_back(order_with(seed));
  std::sort(orders.begin(), orders.end());
  EXPECT_EQ(std::unique(orders.begin(), orders.end()), orders.end()) << "two seeds give one order";
}

TEST(Seed, LetsOneWarpGetAhead) {
  // All turns of one warp come before the first of another, for some seed.
  int seeds_with_one_ahead = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const std::vector<int> order = order_with(seed);
    const int first = order[0] / 32;
    if (std::all_of(order.begin(), order.begin() + 64, [&](int thread) { return thread / 32 == first; }))
      ++seeds_with_one_ahead;
  }
  EXPECT_GE(seeds_with_one_ahead, 8);
}

using testing::HasSubstr;
using tests::run_program;

TEST(Seed, ComesFromTheEnvironment) {
  const auto taken = run_program("/usr/bin/env", {"SIMT_SEED=4711", GNC_SIMT_PROGRAMS, "print_seed"});
  EXPECT_EQ(taken.exit_status, 0) << taken.err;
  EXPECT_EQ(taken.out, "4711\n");
  const auto none = run_program("/usr/bin/env", {"-u", "SIMT_SEED", GNC_SIMT_PROGRAMS, "print_seed"});
  EXPECT_EQ(none.out, "1\n") << none.err;
}

TEST(Seed, IsPrinted_WhenAKernelFails) {
  const auto result = run_program("/usr/bin/env", {"SIMT_SEED=4711", GNC_SIMT_PROGRAMS, "break_a_rule"});
  EXPECT_NE(result.exit_status, 0);
  EXPECT_THAT(result.err, HasSubstr("SIMT_SEED=4711)\n"));
}

TEST(Seed, IsRefused_WhenItIsNoNumber) {
  for (const char* const seed : {"SIMT_SEED=", "SIMT_SEED=7x", "SIMT_SEED=seven"}) {
    const auto result = run_program("/usr/bin/env", {seed, GNC_SIMT_PROGRAMS, "print_seed"});
    EXPECT_NE(result.exit_status, 0) << seed;
    EXPECT_THAT(result.err, HasSubstr("is not a number")) << seed;
  }
}

}  // namespace
}  // namespace gnc::kernels
