#include "engine/probability.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "engine/error.h"

namespace gnc {
namespace {

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun, 26.5.8), by Lentz's method;
/// for x below the mean it converges in O(√max(a, b)) terms.
double beta_fraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  constexpr int kMostTerms = 1'000'000;
  const auto not_zero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1;
  double d = 1 / not_zero(1 - (a + b) * x / (a + 1));
  double result = d;
  for (int m = 1; m <= kMostTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / not_zero(1 + even * d);
    c = not_zero(1 + even / c);
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / not_zero(1 + odd * d);
    c = not_zero(1 + odd / c);
    result *= d * c;
    if (std::abs(d * c - 1) < 1e-15) break;
  }
  return result;
}

/// The x at which regularized_beta is `probability`, by bisection to the last bit.
double beta_quantile(double probability, double a, double b) {
  double low = 0, high = 1;
  for (;;) {
    const double middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    (regularized_beta(middle, a, b) < probability ? low : high) = middle;
    if (high - low < 1e-12 * low) return middle;
  }
}

}  // namespace

double log_normal_tail(double x) {
  if (x < 5) return std::log(0.5 * std::erfc(x / std::numbers::sqrt2));
  // Laplace's continued fraction of Mills' ratio; 40 levels are exact to rounding from 5 on.
  double fraction = x;
  for (int k = 40; k >= 1; --k) fraction = x + k / fraction;
  return -x * x / 2 - std::log(fraction) - 0.5 * std::log(2 * std::numbers::pi);
}

double regularized_beta(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double log_front =
      std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  if (x < (a + 1) / (a + b + 2)) return std::exp(log_front) * beta_fraction(x, a, b) / a;
  return 1 - std::exp(log_front) * beta_fraction(1 - x, b, a) / b;
}

double normal_quantile(double probability) {
  if (probability <= 0) return -std::numeric_limits<double>::infinity();
  if (probability >= 1) return std::numeric_limits<double>::infinity();
  if (probability > 0.5) return -normal_quantile(1 - probability);
  // The lower half by bisection: erfc keeps its relative accuracy there, as 1 - P would not.
  double low = -40, high = 0;
  for (double middle = -20; middle > low && middle < high; middle = (low + high) / 2)
    (0.5 * std::erfc(-middle / std::numbers::sqrt2) < probability ? low : high) = middle;
  return low;
}

double student_t_two_sided(double t, double freedom) {
  return regularized_beta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

double student_t_two_sided_quantile(double probability, double freedom) {
  const double x = beta_quantile(probability, freedom / 2, 0.5);
  return std::sqrt(freedom * (1 - x) / x);
}

double f_tail(double f, double above, double below) {
  return f <= 0 ? 1 : regularized_beta(below / (below + above * f), below / 2, above / 2);
}

double f_quantile(double probability, double above, double below) {
  const double x = beta_quantile(1 - probability, below / 2, above / 2);
  return below * (1 - x) / (x * above);
}

Interval clopper_pearson(double successes, double trials) {
  require(trials > 0 && successes >= 0 && successes <= trials, "{} successes of {} trials", successes,
          trials);
  constexpr double kOneSide = 0.025;
  return {.lower = successes == 0 ? 0 : beta_quantile(kOneSide, successes, trials - successes + 1),
          .upper = successes == trials ? 1 : beta_quantile(1 - kOneSide, successes + 1, trials - successes)};
}

}  // namespace gnc
