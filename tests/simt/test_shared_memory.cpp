#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/simt.h"

namespace gnc::kernels {
namespace {

constexpr unsigned kBlocks = 6;  // three for each of the two workers

/// Transposes 33 x 31 tiles of each block through a static array, as wide as it need not be.
__global__ void transpose(const int* in, int* out) {
  __shared__ int tile[33][32];
  const unsigned row = threadIdx.y, column = threadIdx.x, first = blockIdx.x * 33 * 31;
  tile[row][column] = in[first + row * 31 + column];
  __syncthreads();
  const unsigned i = row * 31 + column;
  out[first + i] = tile[i % 33][i / 33];
}

TEST(StaticSharedMemory, IsSharedByTheThreadsOfABlock) {
  std::vector<int> in(kBlocks * 33 * 31), out(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i);
  launch({.grid = {kBlocks}, .block = {31, 33}}, transpose, in.data(), out.data());
  for (std::size_t block = 0; block < kBlocks; ++block)
    for (std::size_t i = 0; i < 33 * 31; ++i)
      ASSERT_EQ(out[block * 33 * 31 + i], in[block * 33 * 31 + i % 33 * 31 + i / 33]);
}

/// Counts its threads in shared memory that is right only where somebody has set it to zero.
template <bool kIsInitialised>
__global__ void count_threads(int* counts) {
  __shared__ int count;
  if constexpr (kIsInitialised) {
    if (threadIdx.x == 0) count = 0;
    __syncthreads();
  }
  atomicAdd(&count, 1);
  __syncthreads();
  if (threadIdx.x == 0) counts[blockIdx.x] = count;
}

TEST(StaticSharedMemory, HoldsWhatTheBlockBeforeLeft) {
  std::vector<int> counts(kBlocks);
  launch({.grid = {kBlocks}, .block = {40}}, count_threads<false>, counts.data());
  std::sort(counts.begin(), counts.end());
  EXPECT_EQ(counts, (std::vector<int>{40, 40, 80, 80, 120, 120})) << "the missing zero is not found";
  launch({.grid = {kBlocks}, .block = {40}}, count_threads<true>, counts.data());
  EXPECT_EQ(counts, std::vector<int>(kBlocks, 40));
}

/// Reverses each block's numbers in dynamic shared memory.
__global__ void reverse(const double* in, double* out) {
  auto* const numbers = dynamic_shared<double>();
  numbers[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = numbers[blockDim.x - 1 - threadIdx.x];
}

TEST(DynamicSharedMemory, IsSharedByTheThreadsOfABlock) {
  for (const unsigned threads : {1u, 33u, 1024u}) {
    std::vector<double> in(kBlocks * threads), out(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<double>(i);
    launch({.grid = {kBlocks}, .block = {threads}, .shared_bytes = threads * sizeof(double)}, reverse,
           in.data(), out.data());
    for (std::size_t i = 0; i < in.size(); ++i)
      ASSERT_EQ(out[i], in[i / threads * threads + threads - 1 - i % threads]) << threads << " threads";
  }
}

/// Counts the NaNs of fresh shared memory, then leaves ones there.
__global__ void count_nans(int words, int* nans, int* misaligned) {
  auto* const numbers = dynamic_shared<float>();
  if (reinterpret_cast<std::uintptr_t>(numbers) % 16 != 0) atomicAdd(misaligned, 1);
  for (int i = static_cast<int>(threadIdx.x); i < words; i += static_cast<int>(blockDim.x)) {
    if (numbers[i] != numbers[i]) atomicAdd(nans + blockIdx.x, 1);
    numbers[i] = 1;
  }
}

TEST(DynamicSharedMemory, IsNaN_AtTheStartOfEveryBlock) {
  std::vector<int> nans(kBlocks, 0);
  int misaligned = 0;
  launch({.grid = {kBlocks}, .block = {96}, .shared_bytes = 1031 * sizeof(float)}, count_nans, 1031,
         nans.data(), &misaligned);
  EXPECT_EQ(nans, std::vector<int>(kBlocks, 1031));
  EXPECT_EQ(misaligned, 0) << "to 16 bytes";
}

}  // namespace
}  // namespace gnc::kernels
