#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/simt_tensor_core.h"

namespace gnc::kernels {
namespace {

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }
float rounded(float value) { return std::bit_cast<float>(to_tf32(value)); }

TEST(Tf32, RoundsToTenBits_TiesAwayFromZero) {
  const float place = std::ldexp(1.0f, -10);  // the last place of a TF32 at 1
  EXPECT_EQ(rounded(1.0f), 1.0f);
  EXPECT_EQ(rounded(1 + place), 1 + place);
  EXPECT_EQ(rounded(1 + place / 2), 1 + place) << "a tie";
  EXPECT_EQ(rounded(1 + place * 3 / 2), 1 + 2 * place) << "a tie";
  EXPECT_EQ(rounded(-1 - place / 2), -1 - place) << "a tie";
  EXPECT_EQ(rounded(std::nextafter(1 + place / 2, 0.0f)), 1.0f);
  EXPECT_EQ(rounded(-std::nextafter(1 + place / 2, 0.0f)), -1.0f);
  EXPECT_EQ(rounded(2 - place / 4), 2.0f) << "up into the next exponent";
}

TEST(Tf32, ClearsTheBitsThatTheHardwareCutsOff) {
  for (const float value : {1.1f, -3.7e-20f, 1e30f, 5e-41f}) EXPECT_EQ(to_tf32(value) & 0x1fffu, 0u) << value;
}

TEST(Tf32, KeepsZerosInfinitiesAndNaN) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(to_tf32(0.0f), 0u);
  EXPECT_EQ(to_tf32(-0.0f), bits_of(-0.0f));
  EXPECT_EQ(rounded(kInfinity), kInfinity);
  EXPECT_EQ(rounded(-kInfinity), -kInfinity);
  EXPECT_EQ(rounded(std::numeric_limits<float>::max()), kInfinity);
  EXPECT_TRUE(std::isnan(rounded(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isnan(rounded(-std::numeric_limits<float>::quiet_NaN())));
}

/// d = a·1 where row 0 of a holds `bits` in column 0.
__global__ void multiply_by_one(std::uint32_t bits, float* d00) {
  const std::uint32_t a[4] = {threadIdx.x == 0 ? bits : 0, 0, 0, 0};
  const std::uint32_t b[2] = {threadIdx.x == 0 ? to_tf32(1.0f) : 0, 0};
  float d[4] = {};
  mma_m16n8k8_tf32(d, a, b);
  if (threadIdx.x == 0) *d00 = d[0];
}
float times_one(std::uint32_t bits) {
  float product = -1;
  launch({.grid = {1}, .block = {32}}, multiply_by_one, bits, &product);
  return product;
}

TEST(Tf32, IsCutOffByMma_WhereItWasNotRounded) {
  const float just_below_2 = std::nextafter(2.0f, 0.0f);
  EXPECT_EQ(times_one(bits_of(just_below_2)), 2 - std::ldexp(1.0f, -10));
  EXPECT_EQ(times_one(bits_of(-just_below_2)), -2 + std::ldexp(1.0f, -10));
  EXPECT_EQ(times_one(to_tf32(just_below_2)), 2.0f);
}

TEST(Tf32, MakesPoisonNaN) { EXPECT_TRUE(std::isnan(times_one(0xffffffffu))); }

}  // namespace
}  // namespace gnc::kernels
