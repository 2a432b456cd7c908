#pragma once
/// Tails and intervals of probabilities.

namespace gnc {

/// log P(z >= x) of a standard normal z, to 1e-14 relative for every finite x >= -5.
double log_normal_tail(double x);

/// P(b <= x) of a Beta(a, b) variable, a and b > 0, x in [0, 1].
double regularized_beta(double x, double a, double b);

/// The z with P(Z <= z) = `probability` of a standard normal Z, to 1e-12; infinite at 0 and 1.
double normal_quantile(double probability);

/// P(|T| >= |t|) of Student's t with `freedom` > 0 degrees of freedom, which need not be whole.
double student_t_two_sided(double t, double freedom);
/// The t >= 0 with P(|T| >= t) = `probability`, in (0, 1].
double student_t_two_sided_quantile(double probability, double freedom);

/// P(X >= f) of the F distribution with `above` and `below` degrees of freedom (of numerator and
/// denominator).
double f_tail(double f, double above, double below);
/// The f with P(X <= f) = `probability`, in (0, 1).
double f_quantile(double probability, double above, double below);

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
