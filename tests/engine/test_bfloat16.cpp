/// bf16 as storage: every pattern there and back, ties, ends of the range.

#include "engine/bfloat16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/tensor.h"

namespace gnc {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Bf16 pattern(std::uint32_t bits) { return {static_cast<std::uint16_t>(bits)}; }

bool is_nan(Bf16 value) { return std::isnan(value.to_float()); }

TEST(Bf16, Takes_Two_Bytes_And_Has_A_DType) {
  EXPECT_EQ(sizeof(Bf16), 2U);
  EXPECT_EQ(kDTypeOf<Bf16>, DType::kBf16);
  EXPECT_EQ(size_of(DType::kBf16), sizeof(Bf16));
}

TEST(Bf16, Keeps_All_Patterns_Through_Fp32_And_Fp64) {
  int nans = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const Bf16 value = pattern(bits);
    if (is_nan(value)) {
      ++nans;
      EXPECT_TRUE(is_nan(Bf16::from_float(value.to_float()))) << bits;
      EXPECT_TRUE(is_nan(Bf16::from_double(double{value.to_float()}))) << bits;
      continue;
    }
    ASSERT_EQ(Bf16::from_float(value.to_float()).bits, bits);
    ASSERT_EQ(Bf16::from_double(double{value.to_float()}).bits, bits);
  }
  EXPECT_EQ(nans, 2 * 127);
}

TEST(Bf16, Is_The_Upper_Half_Of_An_Fp32) {
  EXPECT_EQ(Bf16::from_float(1.0F).bits, 0x3f80);
  EXPECT_EQ(Bf16::from_float(-2.5F).bits, 0xc020);
  EXPECT_EQ(pattern(0x3f81).to_float(), 1.0F + 0x1p-7F);
}

/// Between every two neighbours of one sign: the middle goes to the even one, what is next to the middle to
/// the nearer. (Above the largest finite number the neighbour is infinity, and the middle goes there.)
TEST(Bf16, Rounds_To_Nearest_Ties_To_Even) {
  for (std::uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const std::uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    const float middle = std::bit_cast<float>((bits << 16) | 0x8000);
    ASSERT_EQ(Bf16::from_float(middle).bits, even);
    ASSERT_EQ(Bf16::from_float(std::nextafter(middle, 0.0F)).bits, bits);
    ASSERT_EQ(Bf16::from_float(std::nextafter(middle, kInfinity)).bits, bits + 1);
    ASSERT_EQ(Bf16::from_float(-middle).bits, even | 0x8000);
    // In double the neighbours of the middle are so near that fp32 would take them for the middle.
    const double wide = double{middle};
    ASSERT_EQ(Bf16::from_double(wide).bits, even);
    ASSERT_EQ(Bf16::from_double(std::nextafter(wide, 0.0)).bits, bits);
    ASSERT_EQ(Bf16::from_double(std::nextafter(wide, double{kInfinity})).bits, bits + 1);
    ASSERT_EQ(Bf16::from_double(-std::nextafter(wide, 0.0)).bits, bits | 0x8000);
  }
}

TEST(Bf16, Keeps_Signed_Zero_Infinity_And_NaN) {
  EXPECT_EQ(Bf16::from_float(-0.0F).bits, 0x8000);
  EXPECT_EQ(Bf16::from_double(-1e-300).bits, 0x8000);
  EXPECT_EQ(Bf16::from_double(1e300).bits, 0x7f80);
  EXPECT_EQ(Bf16::from_float(-kInfinity).bits, 0xff80);
  EXPECT_EQ(Bf16::from_double(-double{kInfinity}).bits, 0xff80);
  EXPECT_EQ(Bf16::from_float(std::numeric_limits<float>::max()).bits, 0x7f80);
  // A NaN whose bits all lie in the half that is cut off must not become infinity.
  EXPECT_TRUE(is_nan(Bf16::from_float(std::bit_cast<float>(0x7f800001U))));
  EXPECT_TRUE(is_nan(Bf16::from_float(std::bit_cast<float>(0xffffffffU))));
  EXPECT_TRUE(is_nan(Bf16::from_double(std::nan(""))));
}

}  // namespace
}  // namespace gnc
