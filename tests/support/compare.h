#pragma once
/// Comparison of results with what they should be. Needs no test framework: the microbenchmarks check with it
/// too.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace gnc::tests {

/// Unit roundoff of fp32: the largest relative error of one rounding.
inline constexpr double kUnitRoundoff = 0x1p-24;

/// Unit roundoff of bf16, which has 8 significant bits.
inline constexpr double kBf16UnitRoundoff = 0x1p-8;

/// |actual − expected| <= absolute + relative·|expected|. Zero for both: equal.
struct Tolerance {
  double absolute = 0;
  double relative = 0;
};

/// A tolerance of results in fp32 made one of results that are computed in fp32 and stored in `dtype`: the
/// same for fp32. In bf16 the result f, |f − e| <= a + r·|e|, is rounded once more, by at most u·|f| with u
/// the unit roundoff of bf16; so the error is at most
///   a + r·|e| + u·|f|  <=  a + r·|e| + u·(|e| + a + r·|e|)  =  (1+u)·a + ((1+u)·r + u)·|e|.
/// A tolerance of nothing stays so: what is copied from operands in bf16 needs no rounding.
Tolerance widened_for(DType dtype, Tolerance tolerance);

/// Growth of the rounding error of a sum of `terms` terms: |error| <= growth·u·Σ|term|, in whatever order
/// they are added. Never more than `terms`; and 6·√terms in the probabilistic analysis of Higham and Mary
/// (2019, Theorem 2.4, λ = 6), which holds for all but a fraction 2·terms·exp(−18) of sums.
double rounding_growth(double terms);

/// What is known of the terms of a sum.
struct Terms {
  double count = 1;
  double bound = 1;      // |term| at most
  double deviation = 1;  // standard deviation; the terms are independent and their mean is 0
};

/// Products of two numbers drawn uniformly from [−1, 1).
constexpr Terms products(double count) { return {.count = count, .bound = 1, .deviation = 1.0 / 3}; }
/// Numbers drawn uniformly from [−1, 1).
constexpr Terms uniform_terms(double count) { return {.count = count, .bound = 1, .deviation = 0.57735}; }

/// Absolute rounding error of a sum of such terms in fp32. Added one after another, partial sum k is about
/// deviation·√k and is rounded by at most u of itself; independent roundings add up to u·deviation·√(Σ k) =
/// u·deviation·count/√2. Ten times that covers the excursions of 10⁵ sums (sums in blocks or trees err less);
/// never more than count·u·Σ|term|. For terms of mean 0 this is √count times sharper than rounding_growth.
double sum_error(const Terms& terms);

/// Is a reference of nothing but zeros a mistake (the op was not run, the inputs were empty) or what the case
/// is about?
enum class ZeroReference : std::uint8_t { kIsAFault, kIsExpected };

struct Comparison {
  bool matches = false;
  std::string message;  // empty when it matches
  explicit operator bool() const { return matches; }
};

/// Compares element by element; both row-major, any dtypes. Fails on another shape, on a NaN or infinity on
/// either side and on a reference of zeros. The message names the number of wrong elements, the first and the
/// worst, both values and the tolerance there.
Comparison compare(const HostTensor& expected, const HostTensor& actual, Tolerance tolerance,
                   ZeroReference zero_reference = ZeroReference::kIsAFault);

/// The elements in memory, widened.
std::vector<double> as_doubles(const HostTensor& tensor);

/// Same spec and same bytes; the message names the first element that differs.
Comparison compare_bits(const HostTensor& expected, const HostTensor& actual);

}  // namespace gnc::tests
