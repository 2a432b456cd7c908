#include "engine/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/expect_error.h"

namespace gnc {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void expect_error(const std::vector<double>& values, std::string_view message) {
  tests::expect_error<Error>([&] { static_cast<void>(summarize(values)); }, {message});
}

TEST(Statistics, Match_A_Textbook_Sample) {
  const SampleStatistics result = summarize(std::vector<double>{2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_EQ(result.count, 8);
  EXPECT_EQ(result.mean, 5);
  EXPECT_EQ(result.population_deviation, 2);
  EXPECT_DOUBLE_EQ(result.sample_deviation, std::sqrt(32.0 / 7));
  EXPECT_EQ(result.minimum, 2);
  EXPECT_EQ(result.maximum, 9);
  EXPECT_EQ(result.range(), 7);
}

TEST(Statistics, Match_The_Papers_Table_1) {
  // Validation accuracy of the ten permutations on CIFAR-10 and VGG11. In exact fractions Σx = 879.43 and
  // Σ(x − mean)² = 1.00341; values of 88 cost at most 88ε in each difference.
  const SampleStatistics result =
      summarize(std::vector<double>{87.96, 87.96, 88.25, 87.94, 87.32, 87.58, 88.39, 88.32, 87.98, 87.73});
  EXPECT_NEAR(result.mean, 87.943, 1e-12);
  EXPECT_NEAR(result.range(), 1.07, 1e-12);
  EXPECT_NEAR(result.population_deviation, std::sqrt(1.00341 / 10), 1e-12);
  EXPECT_NEAR(result.sample_deviation, std::sqrt(1.00341 / 9), 1e-12);
}

TEST(Statistics, Of_One_Value_Have_No_Sample_Deviation) {
  const SampleStatistics result = summarize(std::vector<double>{-3.5});
  EXPECT_EQ(result.mean, -3.5);
  EXPECT_EQ(result.population_deviation, 0);
  EXPECT_TRUE(std::isnan(result.sample_deviation));
  EXPECT_EQ(result.range(), 0);
}

TEST(Statistics, Of_Equal_Values_Have_Exactly_No_Deviation) {
  // Ten times 0.1 sums to less than 1: the mean would be an ulp below every value.
  const SampleStatistics result = summarize(std::vector<double>(10, 0.1));
  EXPECT_EQ(result.mean, 0.1);
  EXPECT_EQ(result.population_deviation, 0);
  EXPECT_EQ(result.sample_deviation, 0);
}

TEST(Statistics, Keep_Digits_Beside_A_Large_Mean) {
  const SampleStatistics result = summarize(std::vector<double>{1e9 + 1, 1e9 - 1});
  EXPECT_EQ(result.population_deviation, 1);
}

TEST(Statistics, Refuse_What_Is_No_Number) {
  expect_error({1, kNaN, 3}, "value 2 of 3 is nan");
  expect_error({1, 2, -std::numeric_limits<double>::infinity()}, "value 3 of 3 is -inf");
  expect_error({}, "no values");
}

}  // namespace
}  // namespace gnc
