#pragma once
/// Tails and intervals of probabilities.

namespace gnc {

/// log P(z >= x) of a standard normal z, to 1e-14 relative for every finite x >= -5.
double log_normal_tail(double x);

/// P(b <= x) of a Beta(a, b) variable, a and b > 0, x in [0, 1].
double regularized_beta(double x, double a, double b);

struct Interval {
  double lower = 0;
  double upper = 1;
};

/// The interval of Clopper and Pearson (1934) at 95 % for a probability of which `successes` of `trials`
/// were seen: exact for independent trials of equal probability, and wide enough where their probabilities
/// differ (Hoeffding, 1956). Neither needs to be whole. Throws Error unless 0 <= successes <= trials,
/// trials > 0.
Interval clopper_pearson(double successes, double trials);

}  // namespace gnc
