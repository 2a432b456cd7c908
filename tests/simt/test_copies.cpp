#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/simt_tensor_core.h"

namespace gnc::kernels {
namespace {

/// Copies one element a thread and waits as `kWait` says; each thread reads its own element.
enum class Wait { kForAll, kNotAtAll, kForTooFew, kForNothingCommitted };
template <Wait kWait, int kBytes>
__global__ void copy_through_shared(const float* in, float* out) {
  constexpr unsigned kFloats = kBytes / sizeof(float);
  auto* const mine = dynamic_shared<float>() + threadIdx.x * kFloats;
  for (unsigned i = 0; i < kFloats; ++i) mine[i] = -1;
  cp_async<kBytes>(mine, in + threadIdx.x * kFloats);
  if (kWait != Wait::kForNothingCommitted) cp_async_commit();
  if (kWait == Wait::kForTooFew) cp_async_wait<1>();
  if (kWait == Wait::kForAll || kWait == Wait::kForNothingCommitted) cp_async_wait<0>();
  for (unsigned i = 0; i < kFloats; ++i) out[threadIdx.x * kFloats + i] = mine[i];
}

template <Wait kWait, int kBytes>
std::vector<float> copied() {
  constexpr unsigned kThreads = 40, kFloats = kThreads * kBytes / sizeof(float);
  std::vector<float4> in(kFloats / 4), out(kFloats / 4);
  auto* const numbers = &in[0].x;
  for (unsigned i = 0; i < kFloats; ++i) numbers[i] = static_cast<float>(i);
  launch({.grid = {1}, .block = {kThreads}, .shared_bytes = kFloats * sizeof(float)},
         copy_through_shared<kWait, kBytes>, numbers, &out[0].x);
  return {&out[0].x, &out[0].x + kFloats};
}

void expect_numbers(const std::vector<float>& out) {
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], static_cast<float>(i));
}
void expect_nans(const std::vector<float>& out) {
  for (const float value : out) ASSERT_TRUE(std::isnan(value)) << value;
}

TEST(CpAsync, CopiesAnySize_WhenItIsWaitedFor) {
  expect_numbers(copied<Wait::kForAll, 4>());
  expect_numbers(copied<Wait::kForAll, 8>());
  expect_numbers(copied<Wait::kForAll, 16>());
}

TEST(CpAsync, ReadsNaN_WithoutAWait) { expect_nans(copied<Wait::kNotAtAll, 16>()); }
TEST(CpAsync, ReadsNaN_WhenTheWaitLeavesItsGroupOut) { expect_nans(copied<Wait::kForTooFew, 8>()); }
TEST(CpAsync, ReadsNaN_WithoutACommit) { expect_nans(copied<Wait::kForNothingCommitted, 4>()); }

/// Three groups; after wait<1> the first two are there. One group is empty.
__global__ void wait_in_order(const float* in, float* out) {
  auto* const stage = dynamic_shared<float>();
  for (int i = 0; i < 2; ++i) {
    cp_async<4>(stage + i, in + i);
    cp_async_commit();
  }
  cp_async_commit();
  cp_async<4>(stage + 2, in + 2);
  cp_async_commit();
  cp_async_wait<3>();
  for (int i = 0; i < 3; ++i) out[i] = stage[i];
  cp_async_wait<1>();
  for (int i = 0; i < 3; ++i) out[3 + i] = stage[i];
  cp_async_wait<1>();  // nothing new
  cp_async_wait<0>();
  for (int i = 0; i < 3; ++i) out[6 + i] = stage[i];
}

TEST(CpAsync, FinishesGroupsInOrder) {
  const std::vector<float> in = {1, 2, 3};
  std::vector<float> out(9);
  launch({.grid = {1}, .block = {1}, .shared_bytes = 12}, wait_in_order, in.data(), out.data());
  EXPECT_EQ(out[0], 1);
  EXPECT_TRUE(std::isnan(out[1]) && std::isnan(out[2]));
  EXPECT_EQ(out[3], 1);
  EXPECT_EQ(out[4], 2);
  EXPECT_TRUE(std::isnan(out[5]));
  EXPECT_EQ(std::vector<float>(out.begin() + 6, out.end()), in);
}

__global__ void copy_nothing(float* out) {
  auto* const stage = dynamic_shared<float4>();
  const float* const nowhere = nullptr;
  cp_async<16>(stage, nowhere, false);
  cp_async_commit();
  cp_async_wait<0>();
  *reinterpret_cast<float4*>(out) = *stage;
}

TEST(CpAsync, WritesZerosAndReadsNothing_WhenItIsNotValid) {
  float4 out = {1, 1, 1, 1};
  launch({.grid = {1}, .block = {1}, .shared_bytes = 16}, copy_nothing, &out.x);
  EXPECT_TRUE(out.x == 0 && out.y == 0 && out.z == 0 && out.w == 0);
}

/// Two stages in turn: while one is summed the next is on its way. Every thread reads its neighbour's copy.
template <bool kHasBarrierBeforeReuse>
__global__ void pipeline(int steps, const float* in, float* sums) {
  auto* const stages = dynamic_shared<float>();
  const unsigned threads = blockDim.x, thread = threadIdx.x, neighbour = (thread + 33) % threads;
  const auto start = [&](int step) {
    const bool is_inside = step < steps;
    const float* const source = in + static_cast<unsigned>(is_inside ? step : 0) * threads + thread;
    cp_async<4>(stages + static_cast<unsigned>(step % 2) * threads + thread, source, is_inside);
    cp_async_commit();
  };
  start(0);
  float sum = 0;
  for (int step = 0; step < steps; ++step) {
    start(step + 1);
    cp_async_wait<1>();
    __syncthreads();
    sum += stages[static_cast<unsigned>(step % 2) * threads + neighbour];
    if constexpr (kHasBarrierBeforeReuse) __syncthreads();
  }
  sums[thread] = sum;
}

/// Wrong sums of 96 threads and 7 steps.
int wrong_sums_of(void (*kernel)(int, const float*, float*)) {
  constexpr unsigned kThreads = 96, kSteps = 7;
  std::vector<float> in(kThreads * kSteps), sums(kThreads);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i % 101);
  launch({.grid = {1}, .block = {kThreads}, .shared_bytes = 2 * kThreads * sizeof(float)}, kernel,
         static_cast<int>(kSteps), in.data(), sums.data());
  int wrong = 0;
  for (unsigned thread = 0; thread < kThreads; ++thread) {
    float expected = 0;
    for (unsigned step = 0; step < kSteps; ++step) expected += in[step * kThreads + (thread + 33) % kThreads];
    if (sums[thread] != expected) ++wrong;
  }
  return wrong;
}

TEST(CpAsync, FeedsAPipelineOfTwoStages) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    emulator::set_seed(seed);
    ASSERT_EQ(wrong_sums_of(pipeline<true>), 0) << "seed " << seed;
  }
}

#if !defined(__SANITIZE_THREAD__)
TEST(CpAsync, FindsAStageThatIsStartedWhileOthersReadIt) {
  int seeds_that_find_it = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    emulator::set_seed(seed);
    seeds_that_find_it += wrong_sums_of(pipeline<false>) > 0 ? 1 : 0;
  }
  EXPECT_GE(seeds_that_find_it, 15);
}
#endif

}  // namespace
}  // namespace gnc::kernels
