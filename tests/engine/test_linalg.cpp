/// Small dense linear algebra: exponentials and random rotations.

#include "engine/linalg.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using Eigen::MatrixXd;

/// Largest entry of RᵀR - I; NaN counts as large.
double departure_from_orthogonal(const MatrixXd& r) {
  const MatrixXd error = r.transpose() * r - MatrixXd::Identity(r.cols(), r.cols());
  return error.allFinite() ? error.cwiseAbs().maxCoeff() : 1e300;
}

TEST(MatrixExponential, Of_A_Skew_Plane_Turns_By_Its_Angle) {
  const double angle = 0.7;
  MatrixXd skew(2, 2);
  skew << 0.0, -angle, angle, 0.0;
  MatrixXd expected(2, 2);
  expected << std::cos(angle), -std::sin(angle), std::sin(angle), std::cos(angle);
  EXPECT_LT((matrix_exponential(skew) - expected).cwiseAbs().maxCoeff(), 1e-15);
}

TEST(MatrixExponential, Of_A_Nilpotent_Matrix_Is_Its_Finite_Series) {
  MatrixXd nilpotent = MatrixXd::Zero(3, 3);
  nilpotent(0, 1) = 2.0;
  nilpotent(1, 2) = 3.0;
  const MatrixXd expected = MatrixXd::Identity(3, 3) + nilpotent + 0.5 * nilpotent * nilpotent;
  EXPECT_LT((matrix_exponential(nilpotent) - expected).cwiseAbs().maxCoeff(), 1e-14);
}

TEST(MatrixExponential, Refuses_A_Matrix_That_Is_Not_Square) {
  tests::expect_error<ShapeError>([] { matrix_exponential(MatrixXd::Zero(2, 3)); }, {"2 x 3"});
}

TEST(Rotations, Are_Orthogonal_With_Determinant_One) {
  for (const int size : {1, 2, 3, 7, 33, 64}) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      const RandomStream stream(seed, "test");
      // The exponential squares log2|A - Aᵀ| (about 4 at n = 64) times, and each squaring doubles the
      // rounding error of n·eps: 64·2.2e-16·16 = 2.3e-13.
      for (const MatrixXd& r : {haar_rotation(stream, size), exponential_rotation(stream, size)}) {
        EXPECT_LT(departure_from_orthogonal(r), 5e-13) << "size " << size << ", seed " << seed;
        EXPECT_NEAR(r.determinant(), 1.0, 1e-11) << "size " << size << ", seed " << seed;
      }
    }
  }
}

TEST(Rotations, Of_One_Seed_Are_The_Same_And_Of_Another_Differ) {
  EXPECT_EQ(haar_rotation(RandomStream(5, "test"), 4), haar_rotation(RandomStream(5, "test"), 4));
  EXPECT_NE(haar_rotation(RandomStream(5, "test"), 4), haar_rotation(RandomStream(6, "test"), 4));
  EXPECT_NE(haar_rotation(RandomStream(5, "test"), 4), exponential_rotation(RandomStream(5, "test"), 4));
}

TEST(Rotations, Drawn_From_Haar_Measure_Have_Its_Moments) {
  // Under Haar measure on SO(3) every entry has mean 0, variance 1/3 and fourth moment 1/5, so the mean of r²
  // over n draws has standard deviation √((1/5 - 1/9)/n) = 0.0047 for n = 4000, and that of r √(1/3/n) =
  // 0.0091. Bounds at 5 of them.
  constexpr int kDraws = 4000;
  MatrixXd sum = MatrixXd::Zero(3, 3), sum_of_squares = MatrixXd::Zero(3, 3);
  for (std::uint64_t draw = 0; draw < kDraws; ++draw) {
    const MatrixXd r = haar_rotation(RandomStream(1, "test", draw), 3);
    sum += r;
    sum_of_squares += r.cwiseAbs2();
  }
  EXPECT_LT((sum / kDraws).cwiseAbs().maxCoeff(), 0.046);
  EXPECT_LT((sum_of_squares / kDraws - MatrixXd::Constant(3, 3, 1.0 / 3.0)).cwiseAbs().maxCoeff(), 0.024);
}

}  // namespace
}  // namespace gnc
