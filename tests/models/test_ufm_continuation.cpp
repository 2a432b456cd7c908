/// Minima of equation (3) and its hard-margin limit, against closed forms and the loss written down again.

#include "models/ufm_continuation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::expect_error;

std::vector<int> equal_classes(int classes, int per_class) {
  return std::vector<int>(static_cast<std::size_t>(classes), per_class);
}

/// Equation (3) over n̄ = N/C in long double, the samples of a class at one point.
long double loss_of(const Eigen::MatrixXd& m, const Eigen::MatrixXd& z, const std::vector<int>& sizes,
                    double decay) {
  long double samples = 0, loss = 0;
  for (const int n : sizes) samples += n;
  const long double mean = samples / static_cast<long double>(sizes.size());
  for (Eigen::Index y = 0; y < z.cols(); ++y) {
    long double sum = 0, own = 0, squared = 0;
    for (Eigen::Index c = 0; c < m.cols(); ++c) {
      long double logit = 0;
      for (Eigen::Index k = 0; k < m.rows(); ++k) logit += static_cast<long double>(m(k, c)) * z(k, y);
      sum += std::exp(logit);
      if (c == y) own = logit;
    }
    for (Eigen::Index k = 0; k < m.rows(); ++k) {
      squared += static_cast<long double>(z(k, y)) * z(k, y);
      loss += decay / 2 * static_cast<long double>(m(k, y)) * m(k, y);
    }
    loss += sizes[static_cast<std::size_t>(y)] / mean * (std::log(sum) - own + decay / 2 * squared);
  }
  return loss;
}

TEST(UfmMinimum, Is_Stationary_For_The_Loss_Of_The_Paper) {
  const std::vector<int> sizes = {4, 1, 2, 1, 2};
  const UfmMinimum minimum = follow_minimum(3, sizes, RandomStream(3, "test"), {0.3, 0.05}).back();
  EXPECT_NEAR(minimum.loss, static_cast<double>(loss_of(minimum.classifier, minimum.features, sizes, 0.05)),
              1e-14);
  // Central differences: h²/6·L''' with third derivatives of order |M|³ < 30.
  constexpr double kStep = 1e-5;
  Eigen::MatrixXd m = minimum.classifier, z = minimum.features;
  for (Eigen::MatrixXd* matrix : {&m, &z}) {
    for (double& value : matrix->reshaped()) {
      const double before = value;
      value = before + kStep;
      const long double above = loss_of(m, z, sizes, 0.05);
      value = before - kStep;
      const long double below = loss_of(m, z, sizes, 0.05);
      value = before;
      EXPECT_NEAR(static_cast<double>((above - below) / (2 * kStep)), 0, 1e-9);
    }
  }
}

TEST(UfmMinimum, Costs_Of_A_Unit_Of_Margin_What_Its_Norms_Say) {
  // A cross with Z = M of norm 2: smallest margin 4, Σ(4 + 4)/2 = 16.
  UfmMinimum cross;
  cross.classifier = cross.features = Eigen::MatrixXd{{2, -2, 0, 0}, {0, 0, 2, -2}};
  EXPECT_EQ(cross.smallest_margin(), 4);
  EXPECT_EQ(cross.cost_of_margin(Eigen::VectorXd::Ones(4)), 4);
  EXPECT_EQ(cross.cost_of_margin(Eigen::VectorXd::Constant(4, 3)), 8);
  cross.features.col(0) = cross.features.col(1);
  EXPECT_TRUE(std::isnan(cross.cost_of_margin(Eigen::VectorXd::Ones(4))));
}

TEST(HardMargin, Of_A_Simplex_And_A_Cross_Is_What_A_Frame_Needs) {
  // Z = M of norm ρ has margins ρ²(1 − μ): the value is C/(1 − μ), C − 1 for a simplex and 4 for a cross.
  for (const auto& [classes, dim, value] : {std::tuple{3, 2, 2.0}, {5, 4, 4.0}, {4, 2, 4.0}}) {
    const auto sizes = equal_classes(classes, 1);
    const auto path = follow_minimum(dim, sizes, RandomStream(1, "test"), {0.1, 1e-3, 1e-5});
    const UfmMinimum limit = minimize_hard_margin(path.back(), sizes);
    EXPECT_NEAR(limit.loss, value, 1e-10) << classes << " classes";
    EXPECT_LT(limit.residual, 1e-9);
    EXPECT_NEAR((limit.classifier - limit.features).norm(), 0, 1e-5);
  }
}

TEST(HardMargin, With_10_Classes_In_6_Dims_Is_9_And_2_Over_Root_5) {
  const auto sizes = equal_classes(10, 1);
  const auto path = follow_minimum(6, sizes, RandomStream(1, "test"), {0.1, 0.01, 1e-3, 1e-5});
  // At ω = 0.01: notes of an independent program give the loss 0.7571380 and 0.02336 for the largest inner
  // product.
  EXPECT_NEAR(path[1].loss, 0.7571380, 5e-8);
  const UfmMinimum limit = minimize_hard_margin(path.back(), sizes);
  // The value changes by the multipliers times the constraints' violation, and the multipliers sum to the
  // value.
  EXPECT_LT(limit.residual, 1e-9);
  EXPECT_NEAR(limit.loss, 9 + 2 / std::sqrt(5.0), 10 * limit.residual);
  // KKT: feasible, and the norms of Z and M balance as in every minimum (scaling one up and the other down).
  EXPECT_GE(limit.smallest_margin(), 1 - limit.residual);
  EXPECT_NEAR(limit.classifier.squaredNorm(), limit.features.squaredNorm(), 1e-9);
  EXPECT_GT((limit.classifier - limit.features).norm() / limit.classifier.norm(), 0.1);  // not self-dual
}

TEST(NearAntipodalPoint, Is_Feasible_And_Cheaper_Than_Any_Frame) {
  for (const auto& [classes, dim] : {std::pair{10, 6}, {100, 64}, {5, 3}, {6, 4}, {9, 5}, {1000, 512}}) {
    SCOPED_TRACE(fmt::format("C = {}, d = {}", classes, dim));
    const UfmMinimum point = near_antipodal_point(dim, classes);
    // Rounding of the coordinates, each at most 1, in the margins' d products.
    EXPECT_GE(point.smallest_margin(), 1 - 4 * dim * 0x1p-53);
    EXPECT_NEAR(point.loss, classes - 1 + std::sqrt(2.0 * (classes - dim) / classes), 1e-11);
    EXPECT_LT(point.loss, classes);
  }
}

// The inequality that refutes NC2 and NC3 of Theorem 3.2 at (10,6), in integers: a rational point with all
// margins at least 1 and a value below 10, the least that Z = M of one norm can have there.
TEST(NearAntipodalPoint, Beats_10_In_Exact_Arithmetic_At_10_Classes_In_6_Dims) {
  // s = a + b = 3/4, a = s/5, b = 4s/5, p = 1/(2s) = 2/3; c = 5/7 and q = 7/10 with 2cq = 1. All times 420.
  constexpr std::int64_t kUnit = 420;
  constexpr std::int64_t a = 63, b = 252, p = 280, c = 300, q = 294;
  static_assert(5 * a == 3 * kUnit / 4 && 5 * b == 4 * (3 * kUnit / 4) && 3 * p == 2 * kUnit);
  static_assert(7 * c == 5 * kUnit && 10 * q == 7 * kUnit);
  std::int64_t m[10][6] = {}, z[10][6] = {};
  for (int pair = 0; pair < 4; ++pair) {
    for (const int sign : {1, -1}) {
      const int y = 2 * pair + (sign > 0 ? 0 : 1);
      m[y][pair] = z[y][pair] = sign * kUnit;
      m[y][4] = a;
    }
  }
  for (const int sign : {1, -1}) {
    const int y = sign > 0 ? 8 : 9;
    m[y][4] = -b;
    z[y][4] = -p;
    m[y][5] = sign * c;
    z[y][5] = sign * q;
  }
  std::int64_t squares = 0;  // of both, in units of 1/420²
  for (int i = 0; i < 10; ++i) {
    for (int k = 0; k < 6; ++k) squares += m[i][k] * m[i][k] + z[i][k] * z[i][k];
    for (int j = 0; j < 10; ++j) {
      if (i == j) continue;
      std::int64_t margin = 0;
      for (int k = 0; k < 6; ++k) margin += (m[i][k] - m[j][k]) * z[i][k];
      EXPECT_GE(margin, kUnit * kUnit) << i << ", " << j;
    }
  }
  EXPECT_LT(squares, 2 * 10 * kUnit * kUnit);
}

TEST(NearAntipodalPoint, Is_For_The_Orthoplex_Regime_Only) {
  for (const auto& [classes, dim] : {std::pair{7, 6}, {12, 6}, {13, 6}})
    expect_error<UsageError>([&, c = classes, d = dim] { near_antipodal_point(d, c); }, {"d+2 <= C < 2d"});
}

}  // namespace
}  // namespace gnc
