#pragma once
/// bfloat16 as storage: the upper half of an fp32 number. Nothing is computed in it.

#include <bit>
#include <cmath>
#include <cstdint>

namespace gnc {

/// 8 significant bits, the exponents of fp32. Every value is an fp32 value; rounding is to nearest, ties to
/// even, once.
struct Bf16 {
  std::uint16_t bits = 0;

  /// NaN becomes the one NaN 0x7fff, as GPUs write it.
  static Bf16 from_float(float value) {
    if (std::isnan(value)) return {0x7fff};
    const auto wide = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t is_odd = (wide >> 16) & 1;
    return {static_cast<std::uint16_t>((wide + 0x7fff + is_odd) >> 16)};
  }

  /// Rounds once, not first to fp32 and then again: on the way through fp32 the last bit stands for all that
  /// was cut off (rounding to odd), so that no tie appears where there is none.
  static Bf16 from_double(double value) {
    const auto narrow = static_cast<float>(value);
    if (std::isnan(value) || double{narrow} == value) return from_float(narrow);
    auto wide = std::bit_cast<std::uint32_t>(narrow);
    if (std::fabs(double{narrow}) > std::fabs(value)) --wide;  // towards zero; from infinity to the largest
    return from_float(std::bit_cast<float>(wide | 1));
  }

  /// Exact.
  float to_float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

}  // namespace gnc
