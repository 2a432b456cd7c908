/// The search: its surrogate, its minimiser and its polish.

#include "models/frame_search.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/linalg.h"
#include "models/frame_polish.h"
#include "models/lbfgs.h"

namespace gnc {
namespace {

using Eigen::MatrixXd;

class Surrogate : public testing::TestWithParam<FrameObjective> {};

/// F by its formula, in loops, with unit weights.
double surrogate_by_loops(const MatrixXd& x, FrameObjective objective, double beta) {
  double sum = 0.0;
  for (Eigen::Index i = 0; i < x.cols(); ++i) {
    for (Eigen::Index j = 0; j < x.cols(); ++j) {
      if (i == j) continue;
      const double g = x.col(i).dot(x.col(j)) / (x.col(i).norm() * x.col(j).norm());
      sum += std::exp(beta * g);
      if (objective == FrameObjective::kAbsolute) sum += std::exp(-beta * g);
    }
  }
  return std::log(sum) / beta;
}

TEST_P(Surrogate, Equals_Its_Formula_And_Its_Gradient_The_Differences) {
  constexpr double kBeta = 7.0, kStep = 1e-5;
  const MatrixXd x = gaussian_matrix(RandomStream(4, "test"), 3, 5);
  CorrelationSurrogate surrogate(GetParam(), 3, 5);
  surrogate.set_sharpness(kBeta);
  MatrixXd gradient(3, 5);
  EXPECT_NEAR(surrogate.evaluate(x, gradient), surrogate_by_loops(x, GetParam(), kBeta), 1e-14);
  for (Eigen::Index i = 0; i < x.size(); ++i) {
    MatrixXd up = x, down = x;
    up.data()[i] += kStep;
    down.data()[i] -= kStep;
    const double difference =
        (surrogate_by_loops(up, GetParam(), kBeta) - surrogate_by_loops(down, GetParam(), kBeta)) /
        (2.0 * kStep);
    // Central differences: h²·|F'''|/6 with |F'''| about β² = 49 and norms about 1.7, plus rounding of
    // 1e-16/h.
    EXPECT_NEAR(gradient.data()[i], difference, 3e-9);
  }
}

TEST_P(Surrogate, Lies_Between_The_Maximum_And_The_Maximum_Plus_Log_Of_The_Terms) {
  const MatrixXd x = gaussian_matrix(RandomStream(5, "test"), 4, 9);
  CorrelationSurrogate surrogate(GetParam(), 4, 9);
  MatrixXd gradient(4, 9);
  for (const double beta : {4.0, 64.0, 4096.0, 1e6}) {
    surrogate.set_sharpness(beta);
    const double value = surrogate.evaluate(x, gradient);
    ASSERT_TRUE(gradient.allFinite());
    EXPECT_GE(value, surrogate.largest());
    EXPECT_LE(value, surrogate.largest() + std::log(2.0 * 9 * 8) / beta + 1e-12);
    EXPECT_NEAR(surrogate.largest(), largest_correlation(x.colwise().normalized(), GetParam()), 1e-15);
  }
}

INSTANTIATE_TEST_SUITE_P(Both, Surrogate, testing::Values(FrameObjective::kSigned, FrameObjective::kAbsolute),
                         [](const auto& parameter) { return std::string(to_string(parameter.param)); });

TEST(Lbfgs, Finds_The_Minimum_Of_Rosenbrocks_Function) {
  const auto rosenbrock = [](const MatrixXd& x, MatrixXd& gradient) {
    const double a = x(0, 0), b = x(1, 0);
    gradient(0, 0) = -2.0 * (1.0 - a) - 400.0 * a * (b - a * a);
    gradient(1, 0) = 200.0 * (b - a * a);
    return (1.0 - a) * (1.0 - a) + 100.0 * (b - a * a) * (b - a * a);
  };
  MatrixXd x(2, 1);
  x << -1.2, 1.0;
  const int iterations = minimize_lbfgs(rosenbrock, x, {200, 1e-10});
  EXPECT_LT(iterations, 100);
  EXPECT_NEAR(x(0, 0), 1.0, 1e-9);
  EXPECT_NEAR(x(1, 0), 1.0, 1e-9);
}

TEST(Lbfgs, Stops_At_Its_Limit_And_Where_There_Is_Nothing_To_Do) {
  const auto bowl = [](const MatrixXd& x, MatrixXd& gradient) {
    gradient = x.cwiseProduct(MatrixXd::Constant(x.rows(), x.cols(), 2.0));
    return x.squaredNorm();
  };
  MatrixXd x = MatrixXd::Zero(3, 2);
  EXPECT_EQ(minimize_lbfgs(bowl, x, {100, 1e-8}), 0);
  x.setConstant(5.0);
  EXPECT_EQ(minimize_lbfgs(bowl, x, {2, 1e-300}), 2);
}

TEST(Search, Refines_The_Icosahedron_To_Rounding) {
  const MatrixXd start = gaussian_matrix(RandomStream(1, "test"), 3, 12);
  const SearchPoint coarse = descend_correlation(start, FrameObjective::kSigned, 64.0, 1000);
  const SearchPoint fine = refine_correlation(coarse, FrameObjective::kSigned, {});
  const double optimum = 1.0 / std::sqrt(5.0);
  EXPECT_GT(coarse.value, optimum);
  EXPECT_LT(coarse.value, optimum + std::log(132.0) / 4096);
  EXPECT_NEAR(fine.value, optimum, 1e-13);
  const MatrixXd polished = polish_active_set(fine.vectors, FrameObjective::kSigned);
  EXPECT_NEAR(largest_correlation(polished, FrameObjective::kSigned), optimum, 1e-15);
}

TEST(Polish, Takes_A_Coarse_Optimum_To_Rounding_And_Never_Makes_It_Worse) {
  // Moved by 1e-7, the icosahedron is 1e-7 off; the five lines of the pentagon's double cone likewise.
  const MatrixXd start = gaussian_matrix(RandomStream(1, "test"), 3, 12);
  MatrixXd unit = refine_correlation(descend_correlation(start, FrameObjective::kSigned, 64.0, 1000),
                                     FrameObjective::kSigned, {})
                      .vectors;
  unit += 1e-7 * gaussian_matrix(RandomStream(2, "test"), 3, 12);
  unit.colwise().normalize();
  ASSERT_GT(largest_correlation(unit, FrameObjective::kSigned), 1.0 / std::sqrt(5.0) + 1e-8);
  const MatrixXd polished = polish_active_set(unit, FrameObjective::kSigned);
  EXPECT_NEAR(largest_correlation(polished, FrameObjective::kSigned), 1.0 / std::sqrt(5.0), 1e-15);

  const MatrixXd random = gaussian_matrix(RandomStream(3, "test"), 4, 11).colwise().normalized();
  EXPECT_LE(
      largest_correlation(polish_active_set(random, FrameObjective::kAbsolute), FrameObjective::kAbsolute),
      largest_correlation(random, FrameObjective::kAbsolute));
}

}  // namespace
}  // namespace gnc
