/// Certificates of frames whose worth is known.

#include "models/frame_certificate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "engine/linalg.h"
#include "models/frame_constructions.h"
#include "models/frame_kerdock.h"

namespace gnc {
namespace {

constexpr FrameObjective kSigned = FrameObjective::kSigned, kAbsolute = FrameObjective::kAbsolute;

Frame frame_of(Eigen::MatrixXd vectors) {
  Frame frame;
  frame.vectors = std::move(vectors);
  return frame;
}

FrameCertificate certify(const Eigen::MatrixXd& vectors, FrameObjective objective) {
  const Frame frame = frame_of(vectors);
  return certify_frame(frame, measure_frame(frame), objective);
}

FrameCertificate certify(int dim, int classes, FrameObjective objective) {
  return certify(construct_frame(dim, classes, objective)->vectors, objective);
}

/// (t, 0), (0, 1), … : three points of the circle whose multipliers are known by hand.
Eigen::MatrixXd circle(std::initializer_list<double> degrees) {
  Eigen::MatrixXd points(2, static_cast<Eigen::Index>(degrees.size()));
  Eigen::Index y = 0;
  for (const double angle : degrees) {
    points.col(y++) << std::cos(angle * M_PI / 180.0), std::sin(angle * M_PI / 180.0);
  }
  return points;
}

TEST(FrameCertificate, Says_Which_Bound_Is_Met) {
  EXPECT_EQ(verdict(certify(6, 10, kSigned)), "optimal (meets the rankin bound)");
  EXPECT_EQ(verdict(certify(5, 6, kSigned)), "optimal (meets the simplex bound)");
  EXPECT_EQ(verdict(certify(22, 275, kSigned)), "optimal (meets the levenshtein bound)");
  EXPECT_EQ(verdict(certify(7, 28, kAbsolute)), "optimal (meets the welch bound)");
  EXPECT_EQ(verdict(certify(6, 22, kAbsolute)), "optimal (meets the orthoplex bound)");
  EXPECT_EQ(verdict(certify(9, 12, kAbsolute)), "optimal (meets the bukh-cox bound)");
}

TEST(FrameCertificate, Says_When_A_Value_Was_Proved_Otherwise_Or_Only_Found) {
  EXPECT_EQ(verdict(certify(4, 24, kSigned)), "optimal (proved value)");
  EXPECT_EQ(verdict(certify(21, 50, kSigned)), "optimal (proved value)");
  EXPECT_EQ(verdict(certify(5, 40, kSigned)), "equals the best known value");
  EXPECT_EQ(verdict(certify(9, 40, kAbsolute)), "equals the best known value");
}

TEST(FrameCertificate, Says_By_How_Much_A_Frame_Misses_Or_Beats_What_Is_Known) {
  const FrameCertificate missed = certify(cross_polytope_frame(3, 4), kSigned);  // 0 against -1/3
  EXPECT_EQ(missed.status, FrameStatus::kMissesKnown);
  EXPECT_EQ(verdict(missed), "NOT optimal: misses the optimum by 0.333");
  EXPECT_NEAR(missed.gap(), 1.0 / 3.0, 1e-15);
  // Lines: the table's value at (16,100) is a search's; 100 of the 144 Kerdock lines have 1/4.
  const FrameCertificate part = certify(16, 100, kAbsolute);
  EXPECT_EQ(part.status, FrameStatus::kEqualsKnown);
  EXPECT_EQ(part.known->source, "part of a larger code");
  // 5000 lines of the plane, one moved by a five-hundredth of the spacing: 8e-10 from the bound, and not
  // optimal.
  Eigen::MatrixXd lines = polygon_frame(5000, std::numbers::pi);
  const double angle = 1.002 * std::numbers::pi / 5000;
  lines(0, 1) = std::cos(angle);
  lines(1, 1) = std::sin(angle);
  EXPECT_EQ(certify(lines, kAbsolute).status, FrameStatus::kMissesKnown);
  EXPECT_EQ(verdict(certify(gaussian_matrix(RandomStream(1, "test"), 11, 50), kSigned)),
            "no known value at this size");
}

TEST(FrameCertificate, Reports_Norms_That_Vanish) {
  Frame frame = frame_of(simplex_frame(3, 4) * 1e-3);
  EXPECT_TRUE(certify_frame(frame, measure_frame(frame), kSigned).has_vanishing_norms);
  frame = with_norm(frame, 1.0);
  EXPECT_FALSE(certify_frame(frame, measure_frame(frame), kSigned).has_vanishing_norms);
  frame.vectors.col(2) *= 0.05;
  EXPECT_TRUE(certify_frame(frame, measure_frame(frame), kSigned).has_vanishing_norms);
}

TEST(FrameCertificate, Knows_Where_The_Optimum_Is_Not_Unique) {
  EXPECT_EQ(certify(6, 10, kSigned).is_unique, std::optional(false));
  EXPECT_EQ(certify(64, 100, kSigned).is_unique, std::optional(false));
  EXPECT_EQ(certify(6, 12, kSigned).is_unique, std::optional(true));
  EXPECT_EQ(certify(6, 7, kSigned).is_unique, std::optional(true));
  EXPECT_EQ(certify(2, 4, kSigned).is_unique, std::optional(true));
  EXPECT_EQ(certify(5, 16, kSigned).is_unique, std::nullopt);
}

TEST(FrameOptimality, Tells_The_Structures_Of_One_Optimum_Apart_By_Their_Blocks) {
  EXPECT_EQ(certify(6, 10, kSigned).optimality.block_sizes, (std::vector{4, 2, 2, 2}));
  EXPECT_EQ(certify(cross_polytope_frame(6, 10), kSigned).optimality.block_sizes,
            (std::vector{2, 2, 2, 2, 1, 1}));
  EXPECT_EQ(certify(64, 100, kSigned).optimality.block_sizes.front(), 30);
  EXPECT_EQ(certify(64, 100, kSigned).optimality.block_sizes.size(), 36u);
  EXPECT_EQ(certify(6, 27, kSigned).optimality.block_sizes, (std::vector{27}));
}

TEST(FrameOptimality, Of_An_Optimum_Has_Balanced_Forces) {
  // Rounding of the ridge and of sums over at most 4480 pairs.
  constexpr double kBalanced = 1e-11;
  for (const auto& [dim, classes] :
       {std::pair{2, 4}, {6, 10}, {64, 100}, {5, 16}, {4, 24}, {16, 288}, {2, 7}})
    EXPECT_LT(certify(dim, classes, kSigned).optimality.residual.value_or(1.0), kBalanced) << dim;
  for (const auto& [dim, classes] : {std::pair{4, 6}, {7, 9}, {6, 22}, {7, 28}, {5, 5}, {2, 9}})
    EXPECT_LT(certify(dim, classes, kAbsolute).optimality.residual.value_or(1.0), kBalanced) << dim;
  for (const int classes : {10, 100}) {
    const int dim = classes == 10 ? 6 : 64;
    const FrameCertificate cross = certify(cross_polytope_frame(dim, classes), kSigned);
    EXPECT_LT(cross.optimality.residual.value_or(1.0), kBalanced) << classes;
    EXPECT_LT(cross.optimality.stressed_pairs, cross.optimality.active_pairs) << classes;
  }
}

// 0°, 90° and 200°: one active pair, which nothing holds together. Its two forces have length sin 90° = 1, so
// that the residual is √2.
TEST(FrameOptimality, Of_Two_Points_That_Could_Part_Is_The_Length_Of_Their_Forces) {
  const FrameOptimality optimality = certify(circle({0, 90, 200}), kSigned).optimality;
  EXPECT_EQ(optimality.active_pairs, 1);
  EXPECT_NEAR(optimality.residual.value_or(0.0), std::sqrt(2.0), 1e-12);
  EXPECT_EQ(optimality.rattlers, std::vector{2});
}

// 0°, 80°, 160°: two active pairs, of forces ±sin 80° at the ends of each. The middle point balances for
// equal multipliers, the outer ones not at all: |(λ1, λ1-λ2, λ2)| sin 80° with λ1 + λ2 = 1 is least at 1/2.
TEST(FrameOptimality, Takes_The_Multipliers_That_Balance_Best) {
  const FrameOptimality optimality = certify(circle({0, 80, 160}), kSigned).optimality;
  EXPECT_EQ(optimality.active_pairs, 2);
  EXPECT_EQ(optimality.multipliers, Multipliers::kLeastSquares);
  EXPECT_NEAR(optimality.residual.value_or(0.0), std::sin(80.0 * M_PI / 180.0) * std::sqrt(0.5), 1e-12);
}

// A square of the plane and the pole of space: the square alone would hold, the pole carries nothing.
TEST(FrameOptimality, Leaves_Out_Pairs_That_Only_Disturb) {
  Eigen::MatrixXd points = Eigen::MatrixXd::Zero(3, 5);
  points.topLeftCorner(2, 4) = circle({0, 90, 180, 270});
  points(2, 4) = 1.0;
  const FrameOptimality optimality = certify(points, kSigned).optimality;
  EXPECT_EQ(optimality.active_pairs, 8);
  EXPECT_EQ(optimality.stressed_pairs, 4);
  EXPECT_LT(optimality.residual.value_or(1.0), 1e-12);
}

// 60 lines of mutually unbiased bases: 1344 forces in 900 dimensions, so that they depend on each other.
TEST(FrameOptimality, Finds_Multipliers_Among_Many) {
  const FrameOptimality optimality = certify(kerdock_lines(16, 9).leftCols(60), kAbsolute).optimality;
  EXPECT_EQ(optimality.multipliers, Multipliers::kLeastSquares);
  EXPECT_EQ(optimality.active_pairs, 1344);
  EXPECT_LT(optimality.residual.value_or(1.0), 1e-11);
}

// The same residual as a search over a grid of all multipliers finds.
TEST(FrameOptimality, Agrees_With_A_Grid_Of_Multipliers) {
  // Isosceles pairs at 60° around one point of space and no balance: three active pairs.
  Eigen::MatrixXd points(3, 4);
  const double height = std::sqrt(0.75);
  points.col(0) << 0, 0, 1;
  points.col(1) << height, 0, 0.5;
  points.col(2) << height * std::cos(2.2), height * std::sin(2.2), 0.5;
  points.col(3) << height * std::cos(3.6), height * std::sin(3.6), 0.5;
  const FrameOptimality optimality = certify(points, kSigned).optimality;
  ASSERT_EQ(optimality.active_pairs, 3);
  double least = 1e9;
  constexpr int kSteps = 400;
  for (int a = 0; a <= kSteps; ++a) {
    for (int b = 0; a + b <= kSteps; ++b) {
      const double weights[] = {1.0 * a / kSteps, 1.0 * b / kSteps, 1.0 * (kSteps - a - b) / kSteps};
      Eigen::MatrixXd force = Eigen::MatrixXd::Zero(3, 4);
      for (Eigen::Index j = 1; j < 4; ++j) {
        force.col(0) += weights[j - 1] * (points.col(j) - 0.5 * points.col(0));
        force.col(j) += weights[j - 1] * (points.col(0) - 0.5 * points.col(j));
      }
      least = std::min(least, force.norm());
    }
  }
  // The grid is off by at most half a step in each multiplier, to second order in the norm.
  EXPECT_NEAR(optimality.residual.value_or(0.0), least, 1e-5);
  EXPECT_LE(optimality.residual.value_or(1.0), least + 1e-12);
}

TEST(FrameOptimality, Says_Why_It_Gives_No_Residual) {
  const FrameOptimality many = certify(64, 1000, kSigned).optimality;
  EXPECT_FALSE(many.residual.has_value());
  EXPECT_GT(many.active_pairs, 3000);
  EXPECT_NE(many.not_computed.find("active pairs, more than 3000"), std::string::npos);
  const Eigen::MatrixXd large = Eigen::MatrixXd::Ones(800, 8000);
  const FrameOptimality none = measure_optimality(large, kSigned, 1.0);
  EXPECT_FALSE(none.residual.has_value());
  EXPECT_TRUE(none.block_sizes.empty());
  EXPECT_NE(none.not_computed.find("8000 vectors in 800 dimensions"), std::string::npos);
}

TEST(FrameGeometry, Knows_Uniform_Tight_And_Equiangular_Frames) {
  const FrameGeometry simplex = measure_frame(frame_of(simplex_frame(4, 5)));
  EXPECT_TRUE(is_uniform(simplex) && is_tight(simplex) && is_equiangular(simplex));
  EXPECT_NEAR(simplex.min_abs_inner_product, 0.25, 1e-15);
  Eigen::MatrixXd uneven = simplex_frame(4, 5);
  uneven.col(1) *= 1.1;
  EXPECT_FALSE(is_uniform(measure_frame(frame_of(uneven))));
  const FrameGeometry subset = measure_frame(frame_of(cross_polytope_frame(6, 10)));
  EXPECT_FALSE(is_tight(subset));
  EXPECT_EQ(subset.rank, 6);
  EXPECT_FALSE(is_equiangular(subset));
}

}  // namespace
}  // namespace gnc
