/// The Gaussian channel: error probabilities with closed forms, on the backends of the host.

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "engine/backend.h"
#include "engine/error.h"
#include "engine/probability.h"
#include "models/channel.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

double tail(double x) { return 0.5 * std::erfc(x / std::numbers::sqrt2); }

Eigen::MatrixXd antipodal() {
  Eigen::MatrixXd vectors(1, 2);
  vectors << 1, -1;
  return vectors;
}

/// The corners of a square of radius 1.
Eigen::MatrixXd square() {
  Eigen::MatrixXd vectors(2, 4);
  vectors << 1, 0, -1, 0, 0, 1, 0, -1;
  return vectors;
}

/// C orthogonal vectors, a simplex of edge √2 in C dimensions.
Eigen::MatrixXd orthogonal(int classes) { return Eigen::MatrixXd::Identity(classes, classes); }

/// P of an error for C orthogonal codewords of norm 1: with x the noise along the codeword that is sent, no
/// other component may reach x + 1/σ. 1 − ∫ φ(x) Φ(x + 1/σ)^{C−1} dx, as ∫ φ(x)(1 − (1 − Q)^{C−1}) dx, by
/// the trapezoidal rule, whose error falls faster than any power of the step for such a function.
double orthogonal_error(int classes, double sigma) {
  double sum = 0;
  constexpr double kStep = 1e-3;
  for (double x = -40; x <= 20; x += kStep) {
    const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    sum += density * -std::expm1((classes - 1) * std::log1p(-tail(x + 1 / sigma))) * kStep;
  }
  return sum;
}

std::vector<ChannelResult> estimate(std::string_view device, const Eigen::MatrixXd& vectors,
                                    std::vector<double> sigmas, std::int32_t samples,
                                    std::optional<ChannelEstimator> estimator = {}) {
  const std::unique_ptr<Backend> backend = open_backend(device);
  return estimate_channel(
      *backend, vectors,
      {.sigmas = std::move(sigmas), .samples = samples, .seed = 20, .estimator = estimator});
}

/// Expects the truth in the interval, and the interval to say something.
void expect_holds(const LogProbability& estimate, double log_truth, double width) {
  EXPECT_LE(estimate.lower, log_truth + 1e-6);
  EXPECT_GE(estimate.upper, log_truth - 1e-6);
  EXPECT_LE(estimate.lower, estimate.value);
  EXPECT_GE(estimate.upper, estimate.value);
  EXPECT_LT(estimate.upper - estimate.lower, width);
}

TEST(NormalTail, Is_That_Of_Tables_And_Asymptotics) {
  EXPECT_NEAR(log_normal_tail(0), std::log(0.5), 1e-15);
  EXPECT_NEAR(std::exp(log_normal_tail(1.959963984540054)), 0.025, 1e-15);
  // Both forms meet at 5, where log P = −15.0649983939887.
  EXPECT_NEAR(log_normal_tail(5), -15.064998393988727, 1e-12);
  EXPECT_NEAR(log_normal_tail(5 - 1e-9), log_normal_tail(5), 1e-8);
  // −x²/2 − log(x√2π) − 1/x² + O(x⁻⁴)
  EXPECT_NEAR(log_normal_tail(100), -5000 - std::log(100 * std::sqrt(2 * std::numbers::pi)) - 1e-4, 1e-7);
}

TEST(ClopperPearson, Is_Exact_Where_It_Has_A_Closed_Form) {
  // No success: (1 − p)^n = 0.025. All: p^n = 0.025.
  EXPECT_NEAR(clopper_pearson(0, 50).upper, 1 - std::pow(0.025, 1.0 / 50), 1e-12);
  EXPECT_EQ(clopper_pearson(0, 50).lower, 0);
  EXPECT_NEAR(clopper_pearson(50, 50).lower, std::pow(0.025, 1.0 / 50), 1e-12);
  EXPECT_EQ(clopper_pearson(50, 50).upper, 1);
  // The ends make what was seen, or more, as likely as 2.5 %: for 1 of 2, 1 − (1−p)² and 1 − p².
  EXPECT_NEAR(clopper_pearson(1, 2).lower, 1 - std::sqrt(0.975), 1e-12);
  EXPECT_NEAR(clopper_pearson(1, 2).upper, std::sqrt(0.975), 1e-12);
  EXPECT_THROW(clopper_pearson(3, 2), Error);
  // Many trials: the normal interval p ± 1.96 √(p(1−p)/n), to its own error of order 1/n.
  const Interval many = clopper_pearson(3e6, 1e7);
  EXPECT_NEAR(many.lower, 0.3 - 1.95996 * std::sqrt(0.21e-7), 2e-7);
  EXPECT_NEAR(many.upper, 0.3 + 1.95996 * std::sqrt(0.21e-7), 2e-7);
}

TEST(RegularizedBeta, Sums_The_Binomial) {
  // I_x(a, b) for whole a, b is P(Binomial(a+b−1, x) >= a).
  const double x = 0.3;
  EXPECT_NEAR(regularized_beta(x, 2, 3), 1 - std::pow(0.7, 4) - 4 * 0.3 * std::pow(0.7, 3), 1e-14);
  EXPECT_NEAR(regularized_beta(0.5, 7.5, 7.5), 0.5, 1e-14);
}

class Channel : public testing::TestWithParam<const char*> {};

TEST_P(Channel, Of_Two_Points_Is_The_Normal_Tail) {
  // Both estimators, from common to once in 10^350.
  for (const auto estimator : {ChannelEstimator::kPlain, ChannelEstimator::kImportance}) {
    const bool is_plain = estimator == ChannelEstimator::kPlain;
    const std::vector<double> sigmas =
        is_plain ? std::vector<double>{2, 1, 0.5} : std::vector<double>{2, 0.5, 0.025};
    for (const ChannelResult& row : estimate(GetParam(), antipodal(), sigmas, 4000, estimator)) {
      SCOPED_TRACE(row.sigma);
      EXPECT_EQ(row.estimator, estimator);
      expect_holds(row.average, log_normal_tail(1 / row.sigma), is_plain ? 0.5 : 0.01);
      EXPECT_NEAR(row.log_union_bound, log_normal_tail(1 / row.sigma), 1e-12);
    }
  }
}

TEST_P(Channel, Of_A_Square_Is_Its_Closed_Form) {
  // Each neighbour is √2 away; the axes of the noise can be turned along the two boundaries, independently.
  for (const auto estimator : {ChannelEstimator::kPlain, ChannelEstimator::kImportance}) {
    for (const ChannelResult& row : estimate(GetParam(), square(), {1, 0.3}, 4000, estimator)) {
      SCOPED_TRACE(row.sigma);
      const double one = tail(1 / (std::numbers::sqrt2 * row.sigma));
      expect_holds(row.average, std::log(one * (2 - one)), 0.3);
    }
  }
}

TEST_P(Channel, Of_A_Simplex_Is_A_One_Dimensional_Integral) {
  for (const ChannelResult& row : estimate(GetParam(), orthogonal(6), {1, 0.4, 0.15, 0.12}, 3000)) {
    SCOPED_TRACE(row.sigma);
    const double truth = orthogonal_error(6, row.sigma);
    expect_holds(row.average, std::log(truth), 0.2);
    EXPECT_GE(row.log_union_bound, std::log(truth));
    EXPECT_EQ(row.estimator,
              row.log_union_bound < 0 ? ChannelEstimator::kImportance : ChannelEstimator::kPlain);
  }
}

TEST_P(Channel, Counts_Coinciding_Codewords_As_Errors) {
  Eigen::MatrixXd vectors(2, 3);
  vectors << 1, 1, -1, 0, 0, 0;
  for (const auto estimator : {ChannelEstimator::kPlain, ChannelEstimator::kImportance}) {
    const ChannelResult row = estimate(GetParam(), vectors, {0.1}, 500, estimator)[0];
    EXPECT_NEAR(row.average.value, std::log(2.0 / 3), 1e-6);
    EXPECT_NEAR(row.worst.value, 0, 1e-6);
  }
}

TEST_P(Channel, Is_The_Same_For_A_Code_And_Noise_Scaled_Together) {
  const ChannelResult one = estimate(GetParam(), square(), {0.3}, 500)[0];
  const ChannelResult large = estimate(GetParam(), 1024.0 * square(), {0.3 * 1024}, 500)[0];
  EXPECT_EQ(one.average.value, large.average.value);
}

INSTANTIATE_TEST_SUITE_P(Backends, Channel, testing::Values("reference", "cpu"),
                         [](const auto& backend) { return std::string(backend.param); });

TEST(ChannelExponent, Is_An_Eighth_Of_The_Least_Squared_Distance) {
  EXPECT_DOUBLE_EQ(channel_exponent(square()), 0.25);
  EXPECT_DOUBLE_EQ(channel_exponent(antipodal()), 0.5);
  // −σ² log P approaches it from above: log P = −x²/2 − log(x√2π) + …, x = 1/σ.
  double last = 1e9;
  for (const ChannelResult& row : estimate("cpu", antipodal(), {0.2, 0.1, 0.05, 0.02}, 100)) {
    EXPECT_GT(row.exponent, 0.5);
    EXPECT_LT(row.exponent, last);
    last = row.exponent;
  }
  EXPECT_NEAR(last, 0.5, 0.02 * 0.02 * 6);
}

TEST(ChannelOptions, Name_What_Cannot_Be) {
  using tests::expect_error;
  expect_error<Error>([] { estimate("cpu", square(), {0.1, 0}, 10); }, {"σ = 0", "more than 0"});
  expect_error<Error>([] { estimate("cpu", square(), {-1}, 10); }, {"σ = -1"});
  expect_error<Error>([] { estimate("cpu", square(), {std::nan("")}, 10); }, {"σ = nan"});
  expect_error<Error>([] { estimate("cpu", square(), {1}, 0); }, {"0 samples"});
  expect_error<Error>([] { estimate("cpu", square(), {1e-16}, 10); }, {"too small"});
  expect_error<Error>([] { estimate("cpu", Eigen::MatrixXd::Ones(2, 1), {1}, 10); }, {"two or more"});
}

}  // namespace
}  // namespace gnc
