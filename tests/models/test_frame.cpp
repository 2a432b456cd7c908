/// Frames: rotations, permutations, norms and what is refused.

#include "models/frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/linalg.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using Eigen::MatrixXd;
using tests::expect_error;

Frame random_frame(int dim, int classes) {
  return {gaussian_matrix(RandomStream(3, "test frame"), dim, classes), {}};
}

TEST(Permuted, Column_Y_Is_Column_Permutation_Y) {
  const Frame frame = random_frame(3, 4);
  const std::vector<int> permutation = {2, 0, 3, 1};
  const Frame result = permuted(frame, permutation);
  MatrixXd p = MatrixXd::Zero(4, 4);  // the same as a product M·P
  for (int y = 0; y < 4; ++y) {
    EXPECT_EQ(result.vectors.col(y), frame.vectors.col(permutation[static_cast<std::size_t>(y)]));
    p(permutation[static_cast<std::size_t>(y)], y) = 1.0;
  }
  EXPECT_EQ(result.vectors, frame.vectors * p);
}

TEST(Permuted, By_The_Identity_Is_The_Same_To_The_Bit) {
  const Frame frame = random_frame(6, 10);
  std::vector<int> identity(10);
  std::iota(identity.begin(), identity.end(), 0);
  EXPECT_EQ(permuted(frame, identity).vectors, frame.vectors);
}

TEST(Permuted, By_A_Seed_Records_The_Seed_And_The_Permutation) {
  const Frame result = permuted(random_frame(2, 7), 11);
  ASSERT_EQ(result.provenance.transforms.size(), 1u);
  EXPECT_EQ(result.provenance.transforms[0].seed, std::optional<std::uint64_t>(11));
  EXPECT_EQ(result.provenance.transforms[0].permutation, random_permutation(11, 7));
}

TEST(Permuted, Refuses_What_Is_No_Permutation) {
  const Frame frame = random_frame(2, 3);
  expect_error<Error>([&] { permuted(frame, std::vector<int>{0, 1}); }, {"2 entries", "3 vectors"});
  expect_error<Error>([&] { permuted(frame, std::vector<int>{0, 1, 3}); }, {"entry 2", "is 3"});
  expect_error<Error>([&] { permuted(frame, std::vector<int>{0, -1, 2}); }, {"entry 1", "is -1"});
  expect_error<Error>([&] { permuted(frame, std::vector<int>{0, 1, 0}); }, {"holds 0 twice"});
}

TEST(RandomPermutation, Holds_Every_Class_Once_And_Follows_Its_Seed) {
  std::vector<int> permutation = random_permutation(7, 100);
  EXPECT_EQ(permutation, random_permutation(7, 100));
  EXPECT_NE(permutation, random_permutation(8, 100));
  std::sort(permutation.begin(), permutation.end());
  for (int y = 0; y < 100; ++y) EXPECT_EQ(permutation[static_cast<std::size_t>(y)], y);
}

TEST(Rotated, Multiplies_From_The_Left_And_Records_How) {
  const Frame frame = random_frame(5, 8);
  for (const RotationKind kind : {RotationKind::kHaar, RotationKind::kExponential}) {
    const Frame result = rotated(frame, 9, kind);
    // R from M Rᵀ… : the rotation that takes five of the columns there takes all of them there.
    const MatrixXd r = result.vectors.leftCols(5) * frame.vectors.leftCols(5).inverse();
    EXPECT_LT((r * frame.vectors - result.vectors).norm(), 1e-12);
    EXPECT_NEAR(r.determinant(), 1.0, 1e-12);
    EXPECT_GT((result.vectors - frame.vectors).norm(), 0.1);
    ASSERT_EQ(result.provenance.transforms.size(), 1u);
    EXPECT_EQ(result.provenance.transforms[0].kind, to_string(kind));
  }
}

TEST(WithNorm, Scales_Every_Column_Even_Tiny_Ones) {
  Frame frame = random_frame(3, 4);
  frame.vectors.col(1) *= 1e-200;
  frame.vectors.col(2) *= 1e200;
  frame.vectors.col(0).setConstant(1.5e308);  // squares and even the sum overflow
  frame.vectors.col(3).setConstant(5e-324);   // the least number there is
  const Frame result = with_norm(frame, 2.5);
  for (int y = 0; y < 4; ++y) EXPECT_NEAR(result.vectors.col(y).norm(), 2.5, 1e-15);
  expect_error<Error>([&] { with_norm(frame, 0.0); }, {"positive", "0"});
}

TEST(CheckFrame, Names_What_Is_Wrong_And_Where) {
  Frame frame = random_frame(3, 4);
  EXPECT_NO_THROW(check_frame(frame, "a.npy"));
  frame.vectors(1, 2) = std::numeric_limits<double>::quiet_NaN();
  expect_error<Error>([&] { check_frame(frame, "a.npy"); }, {"a.npy", "vector 2", "not finite"});
  frame.vectors(1, 2) = std::numeric_limits<double>::infinity();
  expect_error<Error>([&] { check_frame(frame, "a.npy"); }, {"a.npy", "vector 2", "not finite"});
  frame.vectors.col(2).setZero();
  expect_error<Error>([&] { check_frame(frame, "a.npy"); }, {"a.npy", "vector 2", "zero"});
  expect_error<Error>([&] { check_frame(random_frame(3, 1), "a.npy"); }, {"a.npy", "at least 2 vectors"});
  expect_error<Error>([&] { check_frame({}, "a.npy"); }, {"a.npy", "not 0 of 0"});
}

}  // namespace
}  // namespace gnc
