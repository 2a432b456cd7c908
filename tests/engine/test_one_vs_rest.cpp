#include "engine/metrics/one_vs_rest.h"

#include <gtest/gtest.h>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/random.h"
#include "tests/engine/feature_cloud.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::gaussian_matrix;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

/// The columns of a simplex of C unit vectors in C − 1 dimensions: the Gram matrix's Cholesky factor, whose
/// last row is 0 but for rounding.
Eigen::MatrixXd simplex(int classes) {
  Eigen::MatrixXd gram = Eigen::MatrixXd::Constant(classes - 1, classes - 1, -1.0 / (classes - 1));
  gram.diagonal().setOnes();
  Eigen::MatrixXd vectors(classes - 1, classes);
  vectors.leftCols(classes - 1) = Eigen::MatrixXd(gram.llt().matrixU());
  vectors.col(classes - 1) = -vectors.leftCols(classes - 1).rowwise().sum();
  return vectors;
}

/// The weights are convex and give the point, and no point of the hull is nearer.
void expect_certified(const Eigen::MatrixXd& points, const NearestInHull& nearest) {
  const double longest = points.colwise().norm().maxCoeff();
  EXPECT_GE(nearest.weights.minCoeff(), 0);
  EXPECT_NEAR(nearest.weights.sum(), 1, 1e-13);
  EXPECT_LE((nearest.weights.array() > 0).count(), points.rows() + 1);
  EXPECT_LE((points * nearest.weights - nearest.point).norm(), 1e-13 * longest);
  EXPECT_DOUBLE_EQ(nearest.distance, nearest.point.norm());
  // The solver stops at 16 ε of the longest point, and inner products round by a few ε more. x is a sum of
  // weighted points, each of which rounds by ε of its length: <δx, p>/‖x‖ is up to ε longest²/‖x‖.
  const double gap = 64 * kEpsilon * longest * std::max(1.0, longest / nearest.distance);
  EXPECT_LE(nearest.distance - nearest.lower, gap);
  EXPECT_GE(nearest.distance - nearest.lower, -gap);
  // Independently of `lower`: <x,p_j> >= ‖x‖² for all j, the first-order condition of the convex problem.
  const double least = (points.transpose() * nearest.point).minCoeff();
  EXPECT_GE(least, nearest.distance * (nearest.distance - gap));
}

TEST(NearestInHull, Is_The_Foot_On_A_Segment_Or_Its_End) {
  const NearestInHull foot = nearest_in_hull(Eigen::MatrixXd{{-1, 3}, {2, 2}});
  EXPECT_NEAR(foot.distance, 2, 4 * kEpsilon);
  EXPECT_NEAR(foot.weights[0], 0.75, 4 * kEpsilon);
  const NearestInHull end = nearest_in_hull(Eigen::MatrixXd{{1, 3}, {2, 2}});
  EXPECT_NEAR(end.distance, std::sqrt(5.0), 4 * kEpsilon);
  EXPECT_EQ(end.weights[1], 0);
  EXPECT_DOUBLE_EQ(nearest_in_hull(Eigen::MatrixXd{{-3}, {4}}).distance, 5);
}

TEST(NearestInHull, Is_Zero_Inside) {
  for (const int dimension : {1, 2, 7, 33}) {
    const Eigen::MatrixXd vectors = simplex(dimension + 1);
    EXPECT_LE(nearest_in_hull(vectors).distance, 64 * kEpsilon) << dimension;
    EXPECT_EQ(nearest_in_hull(vectors).lower, 0) << dimension;
    Eigen::MatrixXd with_zero = gaussian_matrix(dimension, 5, 3);
    with_zero.col(2).setZero();
    EXPECT_EQ(nearest_in_hull(with_zero).distance, 0) << dimension;
  }
}

TEST(NearestInHull, Certifies_Its_Answer_On_Random_Clouds) {
  for (const int dimension : {1, 2, 3, 10, 64}) {
    for (const int count : {1, 2, 5, 33, 200}) {
      for (std::uint64_t seed = 0; seed < 4; ++seed) {
        SCOPED_TRACE(testing::Message() << dimension << " dimensions, " << count << " points, seed " << seed);
        Eigen::MatrixXd points = gaussian_matrix(dimension, count, seed);
        points.row(0).array() += static_cast<double>(seed);  // 0: mostly inside; 3: mostly far outside
        const NearestInHull nearest = nearest_in_hull(points);
        if (nearest.distance > 1e-12) {
          expect_certified(points, nearest);
        } else {
          EXPECT_LE((points * nearest.weights).norm(), 1e-12);  // the origin is inside, with proof
          EXPECT_NEAR(nearest.weights.sum(), 1, 1e-13);
          EXPECT_GE(nearest.weights.minCoeff(), 0);
        }
      }
    }
  }
}

TEST(NearestInHull, Survives_Points_That_Coincide_Or_Nearly_Do) {
  for (const double step : {0.0, 1e-15, 1e-12, 1e-8}) {
    SCOPED_TRACE(step);
    Eigen::MatrixXd points = step * gaussian_matrix(8, 40, 5);
    points.row(0).array() += 1;
    points.row(3).head(20).array() -= 0.5;
    expect_certified(points, nearest_in_hull(points));
  }
}

TEST(NearestInHull, Says_NaN_For_Points_That_Are_Not_Numbers) {
  Eigen::MatrixXd points = gaussian_matrix(3, 4, 1);
  points(1, 2) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(nearest_in_hull(points).distance));
  EXPECT_TRUE(std::isnan(nearest_in_hull(points).lower));
}

TEST(OneVsRest, Of_A_Simplex_Is_Its_Height) {
  for (const int classes : {2, 3, 10, 65}) {
    const Eigen::VectorXd distances = one_vs_rest_distances(7 * simplex(classes));
    // From a vertex through the centre to the opposite face: 1 + 1/(C−1).
    for (const double distance : distances) EXPECT_NEAR(distance, 1 + 1.0 / (classes - 1), 1e-13) << classes;
  }
}

TEST(OneVsRest, Of_Orthonormal_Vectors_Is_To_The_Mean_Of_The_Others) {
  for (const int classes : {2, 7, 64}) {
    const Eigen::VectorXd distances = one_vs_rest_distances(Eigen::MatrixXd::Identity(classes + 1, classes));
    for (const double distance : distances) {
      EXPECT_NEAR(distance, std::sqrt(1 + 1.0 / (classes - 1)), 1e-14) << classes;
    }
  }
}

TEST(OneVsRest, Of_A_Cross_Polytope_Is_One) {
  // The others' hull holds 0 in many ways and lies behind the plane through it.
  for (const int dimension : {2, 6, 64}) {
    Eigen::MatrixXd vertices(dimension, 2 * dimension);
    vertices << Eigen::MatrixXd::Identity(dimension, dimension),
        -Eigen::MatrixXd::Identity(dimension, dimension);
    for (const double distance : one_vs_rest_distances(vertices)) {
      EXPECT_NEAR(distance, 1, 1e-14) << dimension;
    }
  }
}

TEST(OneVsRest, Ignores_Norms_And_Is_Zero_For_A_Direction_That_Is_There_Twice) {
  Eigen::MatrixXd vectors = gaussian_matrix(5, 9, 2);
  const Eigen::VectorXd before = one_vs_rest_distances(vectors);
  EXPECT_GT(before.minCoeff(), 0.01);
  vectors.col(3) *= 1e6;
  EXPECT_LE((one_vs_rest_distances(vectors) - before).cwiseAbs().maxCoeff(), 1e-13);
  vectors.col(3) = 3 * vectors.col(8);
  EXPECT_LE(one_vs_rest_distances(vectors)[8], 4 * kEpsilon);
}

TEST(OneVsRest, Has_No_Answer_For_A_Zero_Vector) {
  Eigen::MatrixXd vectors = gaussian_matrix(5, 4, 2);
  vectors.col(1).setZero();
  for (const double distance : one_vs_rest_distances(vectors)) EXPECT_TRUE(std::isnan(distance));
}

TEST(OneVsRest, Refuses_A_Single_Vector) {
  tests::expect_error<ShapeError>([] { one_vs_rest_distances(Eigen::MatrixXd::Ones(3, 1)); }, {"[3,1]"});
  tests::expect_error<ShapeError>([] { nearest_in_hull(Eigen::MatrixXd(3, 0)); }, {"[3,0]"});
}

}  // namespace
}  // namespace gnc
