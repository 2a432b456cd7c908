#pragma once
/// The exponential function on all lanes of a SIMD register at once; the library's is scalar.

#include <bit>
#include <cstdint>
#include <experimental/simd>
#include <type_traits>

namespace gnc::cpu {

/// As many numbers as the registers of the instruction set that this is compiled for have lanes.
template <class T>
using Lanes = std::experimental::native_simd<T>;

/// exp(x) = 2ⁿ·p(r), n = ⌊x/ln 2⌉, r = x − n·ln 2: the polynomial p interpolates exp at Chebyshev's nodes of
/// |r| <= ln 2 / 2, with a relative error of at most 2.5e-9 (fp32) and 4.2e-18 (fp64)
/// before roundings.
template <class T>
struct Exponential;

template <>
struct Exponential<float> {
  using Bits = std::uint32_t;            // its sums may wrap around below kLowest
  static constexpr float kLowest = -87;  // exp is a normal number from here on
  static constexpr float kLn2High = 0x1.62p-1F, kLn2Low = 0x1.c85fdep-10F;  // the product n·high is exact
  static constexpr float kCoefficients[] = {1.0F,          1.0F,          0.500000005F,  0.166664155F,
                                            0.0416663529F, 0.0083751264F, 0.00139411084F};
};

template <>
struct Exponential<double> {
  using Bits = std::uint64_t;
  static constexpr double kLowest = -708;
  static constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;
  static constexpr double kCoefficients[] = {1.0,
                                             1.0,
                                             0x1.0000000000011p-1,
                                             0x1.555555555555ap-3,
                                             0x1.555555554f0cfp-5,
                                             0x1.111111110f225p-7,
                                             0x1.6c16c187fbe02p-10,
                                             0x1.a01a01b14378fp-13,
                                             0x1.a01991ac8730ap-16,
                                             0x1.71ddf5749d126p-19,
                                             0x1.28b4057f44145p-22,
                                             0x1.af631d0059becp-26};
};

/// exp(x) of x <= 0 with a relative error of at most two units roundoff; 0 below kLowest, NaN of NaN and of
/// +∞.
template <class T>
[[gnu::always_inline]] inline Lanes<T> exp_of_nonpositive(Lanes<T> x) {
  using Table = Exponential<T>;
  using BitLanes = std::experimental::rebind_simd_t<typename Table::Bits, Lanes<T>>;
  constexpr int kMantissaBits = std::is_same_v<T, float> ? 23 : 52;
  constexpr typename Table::Bits kExponentOfOne = std::is_same_v<T, float> ? 127 : 1023;
  // 1.5·2^mantissa: adding it leaves the integer nearest to x/ln 2 in the lowest bits.
  constexpr T kRounder = static_cast<T>(std::int64_t{3} << (kMantissaBits - 1));
  constexpr T kLog2E = static_cast<T>(1.4426950408889634);
  const Lanes<T> rounded = fma(x, Lanes<T>(kLog2E), Lanes<T>(kRounder));
  const Lanes<T> n = rounded - kRounder;
  const Lanes<T> r = fma(n, Lanes<T>(-Table::kLn2Low), fma(n, Lanes<T>(-Table::kLn2High), x));
  constexpr int kDegree = static_cast<int>(std::size(Table::kCoefficients)) - 1;
  Lanes<T> value = Table::kCoefficients[kDegree];
  for (int i = kDegree - 1; i >= 0; --i) value = fma(value, r, Lanes<T>(Table::kCoefficients[i]));
  const BitLanes power =
      (std::bit_cast<BitLanes>(rounded) << kMantissaBits) + (kExponentOfOne << kMantissaBits);
  value *= std::bit_cast<Lanes<T>>(power);
  where(x < Table::kLowest, value) = 0;
  return value;
}

}  // namespace gnc::cpu
