#include "engine/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "engine/error.h"
#include "engine/random.h"
#include "engine/statistics.h"

namespace gnc {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kDraws = 100'000;
/// A statistic of the same numbers in another order may differ by rounding; it is as large then.
constexpr double kTie = 1 - 1e-12;

double square(double x) { return x * x; }

SampleStatistics of_group(std::span<const double> values, std::size_t fewest, std::string_view what) {
  require(values.size() >= fewest, "{}: a group of {} values; expected at least {}", what, values.size(),
          fewest);
  return summarize(values);
}

double median(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : std::midpoint(sorted[half - 1], sorted[half]);
}

void append_deviations(std::span<const double> values, std::vector<double>& deviations) {
  const double middle = median(values);
  for (const double value : values) deviations.push_back(std::abs(value - middle));
}

/// The F statistic of two groups, of which the first adds up to `first_sum`.
class TwoGroups {
 public:
  TwoGroups(const std::vector<double>& values, std::size_t first)
      : first_(static_cast<double>(first)), second_(static_cast<double>(values.size() - first)) {
    for (const double value : values) sum_ += value;
    for (const double value : values) squares_ += square(value - sum_ / (first_ + second_));
  }
  double freedom() const { return first_ + second_ - 2; }
  /// NaN where no value differs from another.
  double statistic(double first_sum) const {
    const double between =
        first_ * second_ / (first_ + second_) * square(first_sum / first_ - (sum_ - first_sum) / second_);
    return squares_ > 0 ? between / (std::max(squares_ - between, 0.0) / freedom()) : kNaN;
  }

 private:
  double first_, second_;
  double sum_ = 0, squares_ = 0;
};

/// C(n, k), or more than `most`.
double ways_to_choose(std::size_t n, std::size_t k, double most) {
  double ways = 1;
  for (std::size_t i = 1; i <= k && ways <= most; ++i)
    ways = ways * static_cast<double>(n - k + i) / static_cast<double>(i);
  return ways;
}

double permutation_p_value(const std::vector<double>& values, std::size_t first, const TwoGroups& groups,
                           double observed) {
  constexpr double kMostWays = 200'000;
  std::int64_t as_large = 0, all = 0;
  const auto count = [&](double sum) {
    ++all;
    as_large += groups.statistic(sum) >= observed * kTie;
  };
  if (ways_to_choose(values.size(), first, kMostWays) <= kMostWays) {
    std::vector<int> is_first(values.size(), 0);
    std::fill_n(is_first.begin(), first, 1);
    do {
      double sum = 0;
      for (std::size_t i = 0; i < values.size(); ++i) sum += is_first[i] != 0 ? values[i] : 0;
      count(sum);
    } while (std::ranges::prev_permutation(is_first).found);
  } else {
    all = as_large = 1;  // the given one
    for (int draw = 0; draw < kDraws; ++draw) {
      const std::vector<int> order = RandomStream(1, "permutation test", static_cast<std::uint64_t>(draw))
                                         .permutation(static_cast<int>(values.size()));
      double sum = 0;
      for (std::size_t i = 0; i < first; ++i) sum += values[static_cast<std::size_t>(order[i])];
      count(sum);
    }
  }
  return static_cast<double>(as_large) / static_cast<double>(all);
}

std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + end - 1) / 2;
    begin = end;
  }
  return ranks;
}

/// Less their mean, of length 1; all NaN where none differs.
std::vector<double> standardized(std::vector<double> values) {
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  double squares = 0;
  for (double& value : values) squares += square(value -= mean);
  for (double& value : values) value /= std::sqrt(squares);
  return values;
}

double correlation_p_value(const std::vector<double>& x, const std::vector<double>& y, double observed) {
  constexpr std::size_t kMostForAllOrders = 8;
  std::int64_t as_large = 0, all = 0;
  const auto count = [&](const std::vector<int>& order) {
    double product = 0;
    for (std::size_t i = 0; i < x.size(); ++i) product += x[i] * y[static_cast<std::size_t>(order[i])];
    ++all;
    as_large += std::abs(product) >= std::abs(observed) * kTie;
  };
  std::vector<int> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  if (x.size() <= kMostForAllOrders) {
    do {
      count(order);
    } while (std::ranges::next_permutation(order).found);
  } else {
    count(order);
    for (int draw = 0; draw < kDraws; ++draw)
      count(RandomStream(1, "rank correlation", static_cast<std::uint64_t>(draw))
                .permutation(static_cast<int>(x.size())));
  }
  return static_cast<double>(as_large) / static_cast<double>(all);
}

}  // namespace

SpreadComparison compare_spreads(std::span<const double> first, std::span<const double> second) {
  constexpr std::size_t kFewest = 3;
  const SampleStatistics a = of_group(first, kFewest, "equal spreads"),
                         b = of_group(second, kFewest, "equal spreads");
  SpreadComparison result;
  result.deviation_ratio = a.sample_deviation / b.sample_deviation;
  const double above = a.count - 1, below = b.count - 1;
  constexpr double kOneSide = 0.025;
  result.deviation_ratio_interval = {
      .lower = result.deviation_ratio / std::sqrt(f_quantile(1 - kOneSide, above, below)),
      .upper = result.deviation_ratio * std::sqrt(f_quantile(1 - kOneSide, below, above))};

  std::vector<double> deviations;
  append_deviations(first, deviations);
  append_deviations(second, deviations);
  const TwoGroups groups(deviations, first.size());
  const auto end = deviations.begin() + static_cast<std::ptrdiff_t>(first.size());
  result.statistic = groups.statistic(std::accumulate(deviations.begin(), end, 0.0));
  result.p_value = std::isnan(result.statistic) ? kNaN : f_tail(result.statistic, 1, groups.freedom());
  result.permutation_p_value = std::isnan(result.statistic)
                                   ? kNaN
                                   : permutation_p_value(deviations, first.size(), groups, result.statistic);
  return result;
}

LocationComparison compare_locations(std::span<const double> group, std::span<const double> control) {
  const SampleStatistics one = of_group(group, 1, "a mean and a control's"),
                         many = of_group(control, 2, "a control's mean");
  LocationComparison result;
  result.difference = one.mean - many.mean;
  if (many.minimum == many.maximum) {
    result.difference_interval = {.lower = kNaN, .upper = kNaN};
    result.p_value = kNaN;
  } else {
    const double freedom = many.count - 1;
    const double error = many.sample_deviation * std::sqrt(1 + 1.0 / many.count);
    result.p_value = student_t_two_sided(result.difference / error, freedom);
    const double half = student_t_two_sided_quantile(0.05, freedom) * error;
    result.difference_interval = {.lower = result.difference - half, .upper = result.difference + half};
  }
  double sign = 0;
  for (const double x : group)
    for (const double y : control) sign += (x > y) - (x < y);
  result.cliffs_delta = sign / (double(one.count) * many.count);
  return result;
}

RankCorrelation rank_correlation(std::span<const double> x, std::span<const double> y) {
  require(x.size() == y.size() && x.size() >= 4,
          "rank correlation of {} and {} values; expected as many, at least 4", x.size(), y.size());
  for (const auto& values : {x, y}) summarize(values);  // all finite
  const std::vector<double> a = standardized(ranks(x)), b = standardized(ranks(y));
  RankCorrelation result;
  result.rho = std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  if (std::isnan(result.rho))
    return {.rho = kNaN, .interval = {.lower = kNaN, .upper = kNaN}, .p_value = kNaN};
  result.rho = std::clamp(result.rho, -1.0, 1.0);
  // Ranks in perfect order give 1 but for rounding.
  const bool is_perfect = std::abs(result.rho) >= kTie;
  if (is_perfect) result.rho = std::copysign(1, result.rho);
  if (is_perfect || x.size() < kFewestForRankInterval) {
    result.interval = {.lower = kNaN, .upper = kNaN};
  } else {
    const double error = std::sqrt((1 + square(result.rho) / 2) / (static_cast<double>(x.size()) - 3));
    const double half = normal_quantile(0.975) * error, z = std::atanh(result.rho);
    result.interval = {.lower = std::tanh(z - half), .upper = std::tanh(z + half)};
  }
  result.p_value = correlation_p_value(a, b, result.rho);
  return result;
}

}  // namespace gnc
