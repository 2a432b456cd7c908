#pragma once
/// Mean, deviation and range of a handful of results, such as the ten runs of table 2.

#include <span>

namespace gnc {

/// Summary of n numbers. Both deviations are given, because the paper does not say which one its table 2
/// prints.
struct SampleStatistics {
  int count = 0;
  double mean = 0;
  double population_deviation = 0;  ///< √(Σ(x − mean)²/n)
  double sample_deviation = 0;      ///< √(Σ(x − mean)²/(n−1)); NaN for n = 1
  double minimum = 0;
  double maximum = 0;

  /// "Range" of table 2: the largest minus the smallest.
  double range() const { return maximum - minimum; }
};

/// Two passes, in the order given. Throws Error for no values, and for one that is not finite, naming its
/// position.
SampleStatistics summarize(std::span<const double> values);

}  // namespace gnc
