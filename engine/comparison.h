#pragma once
/// Two groups of results set against each other, such as the runs of ten permutations with one seed against
/// those of ten seeds: do they spread differently, do they lie elsewhere?

#include <cstddef>
#include <span>

#include "engine/probability.h"

namespace gnc {

/// Whether two groups spread alike.
struct SpreadComparison {
  double deviation_ratio = 0;  ///< sample deviation of the first group over that of the second
  /// 95 % of it if both groups are normal, from quantiles of F: the exact interval then, and too narrow for
  /// heavier tails.
  Interval deviation_ratio_interval;
  /// Brown and Forsythe, "Robust tests for the equality of variances" (1974): the F statistic of the absolute
  /// deviations from each group's median.
  double statistic = 0;
  double p_value = 1;  ///< P(F >= statistic) with 1 and n − 2 degrees of freedom
  /// The part of all ways to deal the same absolute deviations to two groups of these sizes, the given one
  /// among them, that give a statistic as large: no law is assumed, but that under equal spreads the
  /// deviations could change places. Counted where there are up to 200 000 ways, else of 100 000 drawn ones.
  double permutation_p_value = 1;
};

/// Throws Error for fewer than three values in a group, or one that is not finite. Equal values everywhere in
/// both groups give NaN statistics.
SpreadComparison compare_spreads(std::span<const double> first, std::span<const double> second);

/// Whether a group of values that share one draw (runs with one seed) lies elsewhere than a control, each
/// value of which has a draw of its own (runs with many seeds).
struct LocationComparison {
  double difference = 0;  ///< mean of the group less that of the control
  /// 95 %: difference ± t_{0.975, n−1}·s·√(1 + 1/n), n and s the count and the sample deviation of the
  /// control. By the half of it one more draw differs from the control's mean (the prediction interval of a
  /// normal law).
  Interval difference_interval;
  double p_value = 1;  ///< two-sided, of t = difference/(s·√(1 + 1/n)) with n − 1 degrees of freedom
  /// Cliff's δ (1993): the part of pairs in which the group's value is larger, less the part in which it is
  /// smaller, in [−1, 1]. It describes; what it would be by chance depends on the draw that the group shares.
  double cliffs_delta = 0;
};

/// The group's mean counts as one more draw, however many values it is of: all of them share the luck of
/// theirs, so that more values bring it no nearer to the mean over draws. Welch's t takes every value for a
/// draw of its own, and would lay that luck to what the group varies. The group's values are taken as they
/// are: nothing is said of others that it might have. Where one of the control's values is of the group's
/// draw, the means share its luck, and the test is too cautious. Interval and p-value are NaN where all
/// values of the control are equal. Throws Error for an empty group, fewer than two values in the control, or
/// one that is not finite.
LocationComparison compare_locations(std::span<const double> group, std::span<const double> control);

/// Fewest pairs that rank_correlation() gives an interval for. Of so few pairs many are in perfect order by
/// chance, where Fisher's z is infinite and the interval would have no width: of samples of four pairs of a
/// normal law with ρ = 0.8, 30 in 100 are, of seven 2, of eight fewer than 1. With eight and ρ of 0 to 0.95
/// the others' intervals cover ρ in 94 to 97 % of samples (20,000 each; tests/parity/interval_coverage.py).
inline constexpr std::size_t kFewestForRankInterval = 8;

/// Whether two quantities of the same runs rise together.
struct RankCorrelation {
  double rho =
      0;  ///< Spearman's ρ; ranks of equal values are their mean. NaN where one of them never changes.
  /// 95 %: Fisher's z with the variance (1 + ρ²/2)/(n − 3) of Bonett and Wright (2000). NaN at both ends for
  /// fewer than kFewestForRankInterval pairs, and for ρ = ±1.
  Interval interval;
  /// Two-sided, over the orders of one quantity: all of them up to eight values, else 100 000 drawn ones.
  double p_value = 1;
};

/// Throws Error for fewer than four pairs, spans of different lengths, a number that is not finite.
RankCorrelation rank_correlation(std::span<const double> x, std::span<const double> y);

}  // namespace gnc
