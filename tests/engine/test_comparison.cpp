/// Two groups of results against each other, and laws of probability, against SciPy's numbers
/// (tests/parity/statistics_reference.py prints them).

#include "engine/comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "engine/bootstrap.h"
#include "engine/random.h"
#include "engine/statistics.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::expect_error;

const std::vector<double> kFirst = {87.1, 88.3, 87.9, 88.6, 87.2, 88.0, 88.9, 87.6, 88.2, 87.4};
const std::vector<double> kSecond = {88.0, 88.1, 87.8, 88.2, 87.9, 88.3, 88.0, 87.7};

// The inputs have three digits of five, so that their variances carry about 1e-12 of rounding.
constexpr double kRelative = 1e-11;

void expect_relative(double actual, double expected) {
  EXPECT_LE(std::abs(actual - expected), kRelative * std::abs(expected)) << actual << " for " << expected;
}

TEST(Probability, HasTheQuantilesAndTailsOfSciPy) {
  expect_relative(normal_quantile(1e-10), -6.36134090240406);
  expect_relative(normal_quantile(0.025), -1.95996398454005);
  expect_relative(normal_quantile(0.3), -0.524400512708041);
  expect_relative(normal_quantile(0.975), 1.95996398454005);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-15);
  EXPECT_EQ(normal_quantile(0), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(normal_quantile(1), std::numeric_limits<double>::infinity());
  expect_relative(student_t_two_sided(2.1, 7), 0.0738711962129227);
  expect_relative(student_t_two_sided(-0.3, 2.5), 0.787342371495197);
  expect_relative(student_t_two_sided(12, 30), 5.58018541519926e-13);
  expect_relative(student_t_two_sided_quantile(0.05, 9), 2.26215716279821);
  expect_relative(student_t_two_sided_quantile(0.01, 3.7), 4.86925225322783);
  expect_relative(f_tail(4.2, 1, 18), 0.0552862113605929);
  expect_relative(f_tail(0.7, 9, 5), 0.697977799261328);
  EXPECT_EQ(f_tail(0, 2, 3), 1);
  expect_relative(f_quantile(0.975, 9, 7), 4.82321708462294);
  expect_relative(f_quantile(0.025, 3, 12), 0.0697517768221775);
}

TEST(CompareSpreads, IsSciPys) {
  const SpreadComparison spreads = compare_spreads(kFirst, kSecond);
  expect_relative(spreads.deviation_ratio, 2.98886823619467);
  expect_relative(spreads.deviation_ratio_interval.lower, 1.36093807668952);
  expect_relative(spreads.deviation_ratio_interval.upper, 6.12320313425747);
  expect_relative(spreads.statistic, 7.58472086190008);
  expect_relative(spreads.p_value, 0.0141164055606381);
  // All 43 758 ways; 717 of them.
  expect_relative(spreads.permutation_p_value, 0.0163855752091046);
}

TEST(CompareSpreads, DoesNotDependOnWhichGroupIsFirstOrOnWhereTheyLie) {
  std::vector<double> shifted = kFirst;
  for (double& value : shifted) value = 3 - value;
  const SpreadComparison one = compare_spreads(kFirst, kSecond), other = compare_spreads(kSecond, shifted);
  expect_relative(other.deviation_ratio, 1 / one.deviation_ratio);
  expect_relative(other.deviation_ratio_interval.upper, 1 / one.deviation_ratio_interval.lower);
  expect_relative(other.p_value, one.p_value);
  EXPECT_EQ(other.permutation_p_value, one.permutation_p_value);
}

TEST(CompareSpreads, DrawsWhereThereAreTooManyWays) {
  // 2·20 values: 1.4e11 ways. Under no difference the p-value is that of F, but for 100 000 draws (0.0016 at
  // p = 0.5) and for the numbers' law; ten times the first is a coarse bound of both.
  const RandomStream stream(5, "normals");
  std::vector<double> a, b;
  for (std::uint64_t i = 0; i < 20; ++i) {
    a.push_back(stream.normal(i));
    b.push_back(stream.normal(100 + i));
  }
  const SpreadComparison spreads = compare_spreads(a, b);
  EXPECT_NEAR(spreads.permutation_p_value, spreads.p_value, 0.016);
}

TEST(CompareSpreads, SaysNothingOfGroupsWithoutAny) {
  const std::vector<double> same = {2, 2, 2};
  EXPECT_TRUE(std::isnan(compare_spreads(same, same).p_value));
  EXPECT_TRUE(std::isnan(compare_spreads(same, same).permutation_p_value));
  expect_error<Error>([&] { compare_spreads(std::vector<double>{1, 2}, same); }, {"2 values", "at least 3"});
  expect_error<Error>([&] { compare_spreads(std::vector<double>{1, 2, NAN}, same); }, {"nan"});
}

TEST(CompareLocations, CountsTheGroupAsOneDraw) {
  const LocationComparison locations = compare_locations(kFirst, kSecond);
  // The control's eight values have mean 88 and s = √(0.28/7) = 0.2, so that t = −0.08/(0.2·√1.125) with
  // seven degrees of freedom. A difference of 0.08 of numbers near 88, whose last bit is 1.4e-14: 1e-12 of
  // it.
  expect_relative(locations.difference, -0.08);
  expect_relative(locations.p_value, 0.717254642664772);
  expect_relative(locations.difference_interval.lower, -0.581612552977827);
  expect_relative(locations.difference_interval.upper, 0.421612552977827);
  expect_relative(locations.cliffs_delta, -0.0875);
  // The other way round it is another question, of a control of ten values.
  const LocationComparison other = compare_locations(kSecond, kFirst);
  expect_relative(other.p_value, 0.901269698701676);
  expect_relative(other.difference_interval.upper, 1.49826009020817);
}

TEST(CompareLocations, IsNotMoreCertainForMoreValuesOfOneDraw) {
  std::vector<double> often;
  for (int copy = 0; copy < 10; ++copy) often.insert(often.end(), kFirst.begin(), kFirst.end());
  const LocationComparison few = compare_locations(kFirst, kSecond), many = compare_locations(often, kSecond);
  expect_relative(many.p_value, few.p_value);
  expect_relative(many.difference_interval.lower, few.difference_interval.lower);
}

TEST(CompareLocations, RejectsAsOftenAsItSaysWhereValuesShareADraw) {
  // Nothing but the draw moves a value: ten of the group's 1, each of the control's 5. Of 4000 such pairs a
  // level of 5 % rejects 200, ± four deviations of √(4000·0.05·0.95) = 13.8.
  const RandomStream stream(7, "draws");
  int rejected = 0;
  for (std::uint64_t trial = 0; trial < 4000; ++trial) {
    const std::vector<double> group(10, stream.normal(6 * trial));
    std::vector<double> control;
    for (std::uint64_t i = 1; i < 6; ++i) control.push_back(stream.normal(6 * trial + i));
    rejected += compare_locations(group, control).p_value < 0.05;
  }
  EXPECT_GE(rejected, 145);
  EXPECT_LE(rejected, 255);
}

TEST(CompareLocations, SayNothingOfAControlWithoutSpread) {
  const std::vector<double> ones = {1, 1}, twos = {2, 2, 2};
  const LocationComparison locations = compare_locations(ones, twos);
  EXPECT_EQ(locations.difference, -1);
  EXPECT_TRUE(std::isnan(locations.p_value));
  EXPECT_TRUE(std::isnan(locations.difference_interval.lower));
  EXPECT_TRUE(std::isnan(locations.difference_interval.upper));
  EXPECT_EQ(locations.cliffs_delta, -1);
  expect_error<Error>([&] { compare_locations(ones, std::vector<double>{1}); }, {"1 values", "at least 2"});
  expect_error<Error>([&] { compare_locations({}, ones); }, {"0 values", "at least 1"});
}

TEST(RankCorrelation, IsSciPysWithTies) {
  const std::vector<double> x(kFirst.begin(), kFirst.begin() + 8);
  const RankCorrelation correlation = rank_correlation(x, kSecond);
  expect_relative(correlation.rho, 0.4910267673844362);
  expect_relative(correlation.p_value, 0.2226190476190476);  // 8976 of 40 320 orders
  // tanh(atanh(ρ) ± 1.96·√((1 + ρ²/2)/5)), written out in the script.
  expect_relative(correlation.interval.lower, -0.3717404251067963);
  expect_relative(correlation.interval.upper, 0.8986705249317437);
}

TEST(RankCorrelation, HasNoIntervalOfFewPairsNorOfAPerfectOrder) {
  const auto correlation_of = [](std::size_t pairs) {
    return rank_correlation(std::span(kFirst).first(pairs), std::span(kSecond).first(pairs));
  };
  const RankCorrelation few = correlation_of(kFewestForRankInterval - 1);
  EXPECT_TRUE(std::isnan(few.interval.lower) && std::isnan(few.interval.upper));
  EXPECT_FALSE(std::isnan(few.rho) || std::isnan(few.p_value)) << "ρ and its exact p value need no law";
  EXPECT_FALSE(std::isnan(correlation_of(kFewestForRankInterval).interval.lower));
  const std::vector<double> rising = {1, 2, 3, 5, 8, 13, 21, 34, 55};
  const RankCorrelation perfect = rank_correlation(rising, rising);
  EXPECT_EQ(perfect.rho, 1);
  EXPECT_TRUE(std::isnan(perfect.interval.lower) && std::isnan(perfect.interval.upper));
}

TEST(RankCorrelation, IsOneForWhatRisesTogetherAndNothingForWhatDoesNotChange) {
  std::vector<double> x, y;
  for (int i = 0; i < 12; ++i) {
    x.push_back(i);
    y.push_back(-std::exp(i));
  }
  const RankCorrelation correlation = rank_correlation(x, y);
  EXPECT_DOUBLE_EQ(correlation.rho, -1);
  EXPECT_LT(correlation.p_value, 1e-4);  // 2 of 12! orders; 100 000 draws and the given one
  EXPECT_GE(correlation.p_value, 1.0 / 100'001);
  EXPECT_TRUE(std::isnan(rank_correlation(x, std::vector<double>(12, 3.0)).rho));
  expect_error<Error>([&] { rank_correlation(x, std::vector<double>{1, 2, 3, 4}); }, {"12 and 4"});
}

TEST(Bootstrap, IsSciPysButForTheResamples) {
  // The ends of 95 % are quantiles that 10 000 resamples know to about √(0.025·0.975/10 000) = 0.0016 in
  // probability, and SciPy's 200 000 to a fifth of it; the density there is about 0.06/0.175 a unit of the
  // mean's deviation 0.175, so 0.005, and a hundredth because means lie on a grid. Four times both.
  const auto mean = [](std::span<const double> values) { return summarize(values).mean; };
  const Interval of_mean = bootstrap_interval(kFirst, mean);
  EXPECT_NEAR(of_mean.lower, 87.57, 0.06);
  EXPECT_NEAR(of_mean.upper, 88.27, 0.06);
  const auto deviation = [](std::span<const double> values) { return summarize(values).sample_deviation; };
  const Interval of_deviation = bootstrap_interval(kFirst, deviation);
  EXPECT_NEAR(of_deviation.lower, 0.4441, 0.03);
  EXPECT_NEAR(of_deviation.upper, 0.8131, 0.03);
}

TEST(Bootstrap, CoversTheMeanAsOftenAsItSays) {
  // 30 values of an exponential law, 400 times: 95 % but for √(0.95·0.05/400) = 0.011; BCa falls short by one
  // or two per cent at such a size.
  const auto mean = [](std::span<const double> values) { return summarize(values).mean; };
  int covered = 0;
  for (std::uint64_t trial = 0; trial < 400; ++trial) {
    const RandomStream stream(3, "exponential", trial);
    std::vector<double> values;
    for (std::uint64_t i = 0; i < 30; ++i) values.push_back(-std::log(1 - stream.uniform(i)));
    const Interval interval = bootstrap_interval(values, mean, {.resamples = 500, .seed = trial});
    covered += interval.lower <= 1 && 1 <= interval.upper;
  }
  EXPECT_GE(covered, 400 * (0.95 - 0.02 - 3 * 0.011));
  EXPECT_LT(covered, 400);
}

TEST(Bootstrap, IsTheSameEveryTimeAndNothingWithoutSpread) {
  const auto mean = [](std::span<const double> values) { return summarize(values).mean; };
  EXPECT_EQ(bootstrap_interval(kFirst, mean).lower, bootstrap_interval(kFirst, mean).lower);
  EXPECT_NE(bootstrap_interval(kFirst, mean).lower, bootstrap_interval(kFirst, mean, {.seed = 2}).lower);
  EXPECT_TRUE(std::isnan(bootstrap_interval(std::vector<double>(8, 1.0), mean).lower));
  const auto of_first = [&](std::size_t values) {
    return bootstrap_interval(std::span(kFirst).first(values), mean);
  };
  EXPECT_TRUE(std::isnan(of_first(kFewestToBootstrap - 1).lower) &&
              std::isnan(of_first(kFewestToBootstrap - 1).upper));
  EXPECT_LT(of_first(kFewestToBootstrap).lower, of_first(kFewestToBootstrap).upper);
  expect_error<Error>([&] { bootstrap_interval(kFirst, mean, {.level = 1}); }, {"level 1"});
  expect_error<Error>([&] { bootstrap_interval(kFirst, mean, {.resamples = 0}); }, {"0 resamples"});
}

}  // namespace
}  // namespace gnc
