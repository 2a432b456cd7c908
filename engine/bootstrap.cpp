#include "engine/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/error.h"
#include "engine/random.h"

namespace gnc {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double normal_probability(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

/// The statistic of every resample, sorted.
std::vector<double> resampled(std::span<const double> values, const Statistic& statistic,
                              const BootstrapOptions& options) {
  std::vector<double> statistics, sample(values.size());
  for (int i = 0; i < options.resamples; ++i) {
    const RandomStream stream(options.seed, "bootstrap", static_cast<std::uint64_t>(i));
    for (std::size_t k = 0; k < sample.size(); ++k) sample[k] = values[stream.below(k, values.size())];
    const double value = statistic(sample);
    if (std::isfinite(value)) statistics.push_back(value);
  }
  std::ranges::sort(statistics);
  return statistics;
}

/// Efron's a: the skewness of the statistic with one value left out, over six. 0 where all are the same.
double acceleration(std::span<const double> values, const Statistic& statistic) {
  std::vector<double> left_out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::vector<double> rest(values.begin(), values.end());
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
    left_out.push_back(statistic(rest));
  }
  double mean = 0;
  for (const double value : left_out) mean += value / static_cast<double>(left_out.size());
  double squares = 0, cubes = 0;
  for (const double value : left_out) {
    squares += (mean - value) * (mean - value);
    cubes += std::pow(mean - value, 3);
  }
  return squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0;
}

/// Of sorted values, between the two nearest.
double quantile(const std::vector<double>& sorted, double probability) {
  const double position = probability * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

}  // namespace

Interval bootstrap_interval(std::span<const double> values, const Statistic& statistic,
                            const BootstrapOptions& options) {
  require(options.level > 0 && options.level < 1, "bootstrap: level {}; expected a number in (0,1)",
          options.level);
  require(options.resamples >= 1, "bootstrap: {} resamples; expected at least 1", options.resamples);
  if (values.size() < kFewestToBootstrap) return {.lower = kNaN, .upper = kNaN};
  const std::vector<double> sorted = resampled(values, statistic, options);
  if (sorted.empty() || sorted.front() == sorted.back()) return {.lower = kNaN, .upper = kNaN};

  const double observed = statistic(values);
  // Ties count half, so that a statistic of few values (a range) is not corrected for what is no bias.
  const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), observed);
  const auto below = static_cast<double>(first - sorted.begin());
  const auto ties = static_cast<double>(last - first);
  const double bias = normal_quantile((below + ties / 2) / static_cast<double>(sorted.size()));
  const double a = acceleration(values, statistic);
  const auto corrected = [&](double probability) {
    const double z = bias + normal_quantile(probability);
    return normal_probability(bias + z / (1 - a * z));
  };
  const double tail = (1 - options.level) / 2;
  const double lower = corrected(tail), upper = corrected(1 - tail);
  if (!std::isfinite(lower) || !std::isfinite(upper)) return {.lower = kNaN, .upper = kNaN};
  return {.lower = quantile(sorted, lower), .upper = quantile(sorted, upper)};
}

}  // namespace gnc
