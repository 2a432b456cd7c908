#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/bfloat16.h"
#include "kernels/simt_tensor_core.h"

// Fragments are filled and read by the formulas of the PTX ISA, "Matrix Fragments for mma.m16n8k8 with .tf32"
// and "mma.m16n8k16 with .bf16", which give row and column of each register.
namespace gnc::kernels {
namespace {

/// d [16,8] = a [16,kDepth] · b [kDepth,8] + d, row by row.
using Multiply = void (*)(const float* a, const float* b, float* d);

__device__ void load_d(float (&fragment)[4], const float* d) {
  const unsigned group_id = threadIdx.x >> 2, thread_in_group = threadIdx.x % 4;
  for (unsigned i = 0; i < 4; ++i)
    fragment[i] = d[(i < 2 ? group_id : group_id + 8) * 8 + thread_in_group * 2 + (i & 1)];
}
__device__ void store_d(const float (&fragment)[4], float* d) {
  const unsigned group_id = threadIdx.x >> 2, thread_in_group = threadIdx.x % 4;
  for (unsigned i = 0; i < 4; ++i)
    d[(i < 2 ? group_id : group_id + 8) * 8 + thread_in_group * 2 + (i & 1)] = fragment[i];
}

__global__ void multiply_tf32(const float* a, const float* b, float* d) {
  constexpr unsigned kDepth = 8;
  const unsigned group_id = threadIdx.x >> 2, thread_in_group = threadIdx.x % 4;
  std::uint32_t a_fragment[4], b_fragment[2];
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = i == 0 || i == 2 ? group_id : group_id + 8;
    const unsigned column = i == 0 || i == 1 ? thread_in_group : thread_in_group + 4;
    a_fragment[i] = to_tf32(a[row * kDepth + column]);
  }
  for (unsigned i = 0; i < 2; ++i) {
    const unsigned row = i == 0 ? thread_in_group : thread_in_group + 4, column = group_id;
    b_fragment[i] = to_tf32(b[row * 8 + column]);
  }
  float d_fragment[4];
  load_d(d_fragment, d);
  mma_m16n8k8_tf32(d_fragment, a_fragment, b_fragment);
  store_d(d_fragment, d);
}

__device__ std::uint32_t pair(float lower, float upper) {
  return from_float<Bf16>(lower).bits | static_cast<std::uint32_t>(from_float<Bf16>(upper).bits) << 16;
}

__global__ void multiply_bf16(const float* a, const float* b, float* d) {
  constexpr unsigned kDepth = 16;
  const unsigned group_id = threadIdx.x >> 2, thread_in_group = threadIdx.x % 4;
  float a_elements[8], b_elements[4];
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned row = i < 2 || (i >= 4 && i < 6) ? group_id : group_id + 8;
    const unsigned column = thread_in_group * 2 + (i & 1) + (i < 4 ? 0 : 8);
    a_elements[i] = a[row * kDepth + column];
  }
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = thread_in_group * 2 + (i & 1) + (i < 2 ? 0 : 8), column = group_id;
    b_elements[i] = b[row * 8 + column];
  }
  std::uint32_t a_fragment[4], b_fragment[2];
  for (unsigned i = 0; i < 4; ++i) a_fragment[i] = pair(a_elements[2 * i], a_elements[2 * i + 1]);
  for (unsigned i = 0; i < 2; ++i) b_fragment[i] = pair(b_elements[2 * i], b_elements[2 * i + 1]);
  float d_fragment[4];
  load_d(d_fragment, d);
  mma_m16n8k16_bf16(d_fragment, a_fragment, b_fragment);
  store_d(d_fragment, d);
}

/// The same with fragments that ldmatrix brings from row-major tiles in shared memory.
__global__ void multiply_bf16_by_ldmatrix(const float* a, const float* b, float* d) {
  auto* const a_tile = dynamic_shared<Bf16>();  // [16,24], 16 used
  Bf16* const b_tile = a_tile + 16 * 24;        // [16,8]
  const unsigned lane = threadIdx.x;
  for (unsigned i = lane; i < 16 * 16; i += 32) a_tile[i / 16 * 24 + i % 16] = from_float<Bf16>(a[i]);
  for (unsigned i = lane; i < 16 * 8; i += 32) b_tile[i] = from_float<Bf16>(b[i]);
  __syncwarp();
  std::uint32_t a_fragment[4], b_fragments[4];
  ldmatrix_x4(a_fragment, a_tile + lane % 16 * 24 + lane / 16 * 8);
  ldmatrix_x4_trans(b_fragments, b_tile + lane % 16 * 8);  // both halves of b, twice
  const std::uint32_t b_fragment[2] = {b_fragments[0], b_fragments[1]};
  float d_fragment[4];
  load_d(d_fragment, d);
  mma_m16n8k16_bf16(d_fragment, a_fragment, b_fragment);
  store_d(d_fragment, d);
}

struct Shape {
  std::string name;
  Multiply multiply;
  unsigned depth;
  int mantissa_bits;
};
class Mma : public testing::TestWithParam<Shape> {
 protected:
  /// Numbers that the operands hold exactly.
  std::vector<float> random(std::size_t count) {
    std::uniform_int_distribution<int> mantissa(-(1 << GetParam().mantissa_bits),
                                                1 << GetParam().mantissa_bits);
    std::uniform_int_distribution<int> exponent(-12, 0);
    std::vector<float> numbers(count);
    for (float& number : numbers)
      number = std::ldexp(static_cast<float>(mantissa(generator_)), exponent(generator_));
    return numbers;
  }
  static std::vector<float> product(const std::vector<float>& a, const std::vector<float>& b,
                                    std::vector<float> d) {
    launch({.grid = {1}, .block = {32}, .shared_bytes = (16 * 24 + 16 * 8) * sizeof(Bf16)},
           GetParam().multiply, a.data(), b.data(), d.data());
    return d;
  }

 private:
  std::mt19937 generator_{20240229};
};

std::string name_of(const testing::TestParamInfo<Shape>& tested) { return tested.param.name; }
INSTANTIATE_TEST_SUITE_P(Shapes, Mma,
                         testing::Values(Shape{"Tf32", multiply_tf32, 8, 10},
                                         Shape{"Bf16", multiply_bf16, 16, 7},
                                         Shape{"Bf16ByLdmatrix", multiply_bf16_by_ldmatrix, 16, 7}),
                         name_of);

TEST_P(Mma, ReturnsB_WhenAIsAnIdentity) {
  const unsigned depth = GetParam().depth;
  const std::vector<float> b = random(depth * 8);
  // Row r of a picks row (5·r + shift) % depth of b: every row of d meets every row of b.
  for (unsigned shift = 0; shift < depth; ++shift) {
    std::vector<float> a(16 * depth, 0.0f);
    const auto picked = [&](unsigned row) { return (5 * row + shift) % depth; };
    for (unsigned row = 0; row < 16; ++row) a[row * depth + picked(row)] = 1;
    const std::vector<float> d = product(a, b, std::vector<float>(16 * 8, 0.0f));
    for (unsigned i = 0; i < 16 * 8; ++i) ASSERT_EQ(d[i], b[picked(i / 8) * 8 + i % 8]) << i;
  }
}

TEST_P(Mma, ReturnsA_WhenBIsAnIdentity) {
  const unsigned depth = GetParam().depth;
  const std::vector<float> a = random(16 * depth);
  for (unsigned shift = 0; shift < depth; ++shift) {
    std::vector<float> b(depth * 8, 0.0f);
    const auto picked = [&](unsigned column) { return (3 * column + shift) % depth; };
    for (unsigned column = 0; column < 8; ++column) b[picked(column) * 8 + column] = 1;
    const std::vector<float> d = product(a, b, std::vector<float>(16 * 8, 0.0f));
    for (unsigned i = 0; i < 16 * 8; ++i) ASSERT_EQ(d[i], a[i / 8 * depth + picked(i % 8)]) << i;
  }
}

TEST_P(Mma, AddsTheProduct) {
  const unsigned depth = GetParam().depth;
  for (int repeat = 0; repeat < 10; ++repeat) {
    const std::vector<float> a = random(16 * depth), b = random(depth * 8), before = random(16 * 8);
    const std::vector<float> d = product(a, b, before);
    for (unsigned i = 0; i < 16 * 8; ++i) {
      double expected = before[i], magnitude = std::abs(before[i]);
      for (unsigned k = 0; k < depth; ++k) {
        const double term = double{a[i / 8 * depth + k]} * double{b[k * 8 + i % 8]};
        expected += term;
        magnitude += std::abs(term);
      }
      // Products are exact; each of `depth` additions may cut off a place of the largest partial sum.
      ASSERT_NEAR(d[i], expected, depth * std::ldexp(magnitude, -23)) << i;
    }
  }
}

}  // namespace
}  // namespace gnc::kernels
