/// Definition 4.1 on frames that are, and are not, equivalent.

#include "models/frame_equivalence.h"

#include <gtest/gtest.h>

#include "engine/linalg.h"
#include "models/frame_constructions.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

Frame simplices() { return {simplices_frame(6, 10), {}}; }

TEST(FrameEquivalence, Knows_A_Frame_As_Itself) {
  const FrameEquivalence same = compare_frames(simplices(), simplices());
  EXPECT_TRUE(same.is_type1);
  EXPECT_TRUE(same.is_type2);
  EXPECT_EQ(same.is_equivalent, std::optional<bool>(true));
  EXPECT_LT(same.procrustes_distance, 1e-15);
}

TEST(FrameEquivalence, Of_A_Rotated_Frame_Is_Type_One) {
  const FrameEquivalence found = compare_frames(simplices(), rotated(simplices(), 4, RotationKind::kHaar));
  EXPECT_TRUE(found.is_type1);
  EXPECT_FALSE(found.is_type2);
  EXPECT_EQ(found.is_equivalent, std::optional<bool>(true));
  EXPECT_LT(found.procrustes_distance, 1e-14);
  EXPECT_LT(found.procrustes_rotation_distance, 1e-14);
}

TEST(FrameEquivalence, Of_A_Reflected_Frame_Is_Type_One_But_No_Rotation) {
  const Frame frame{gaussian_matrix(RandomStream(1, "test"), 3, 5), {}};
  Frame reflected = frame;
  reflected.vectors.row(0) *= -1.0;
  const FrameEquivalence found = compare_frames(frame, reflected);
  EXPECT_TRUE(found.is_type1);
  EXPECT_LT(found.procrustes_distance, 1e-14);
  EXPECT_GT(found.procrustes_rotation_distance, 0.01);
}

TEST(FrameEquivalence, Of_A_Permuted_Frame_Is_Type_Two) {
  const Frame frame{gaussian_matrix(RandomStream(1, "test"), 3, 7), {}};
  const std::vector<int> permutation = {3, 1, 6, 0, 2, 5, 4};
  const FrameEquivalence found = compare_frames(frame, permuted(frame, permutation));
  EXPECT_FALSE(found.is_type1);
  EXPECT_TRUE(found.is_type2);
  EXPECT_EQ(found.is_equivalent, std::optional<bool>(true));
  EXPECT_EQ(found.permutation, permutation);
  EXPECT_GT(found.procrustes_distance, 0.1);
}

TEST(FrameEquivalence, Finds_Rotation_And_Permutation_Together) {
  for (const auto& [dim, classes] : {std::pair{6, 10}, {64, 100}}) {
    const Frame frame{simplices_frame(dim, classes), {}};
    const Frame other = permuted(rotated(frame, 8, RotationKind::kExponential), 9);
    const FrameEquivalence found = compare_frames(frame, other);
    EXPECT_FALSE(found.is_type1);
    EXPECT_FALSE(found.is_type2);
    ASSERT_EQ(found.is_equivalent, std::optional<bool>(true));
    // What it found makes the rest a rotation.
    EXPECT_TRUE(compare_frames(permuted(frame, found.permutation), other).is_type1);
  }
}

TEST(FrameEquivalence, Tells_Two_Optima_Of_One_Size_Apart) {
  // (4,2,2,2) and (2,2,2,2,1,1): both reach Rankin's 0 at (10,6).
  const Frame cross_polytope{cross_polytope_frame(6, 10), {}};
  EXPECT_EQ(compare_frames(simplices(), cross_polytope).is_equivalent, std::optional<bool>(false));
}

TEST(FrameEquivalence, Tells_Gram_Matrices_With_Equal_Entries_Apart) {
  // Two simplices of 3 with one of 2 against a chain: the same numbers of equal products, matched
  // differently. Columns 0-5 form a 6-cycle in A and two triangles in B, with products c on edges and 0
  // elsewhere.
  const double c = 0.2;
  Eigen::MatrixXd cycle = Eigen::MatrixXd::Identity(6, 6), triangles = Eigen::MatrixXd::Identity(6, 6);
  for (int i = 0; i < 6; ++i) {
    const int next = (i + 1) % 6, in_triangle = i < 3 ? (i + 1) % 3 : 3 + (i + 1) % 3;
    cycle(i, next) = cycle(next, i) = c;
    triangles(i, in_triangle) = triangles(in_triangle, i) = c;
  }
  const Frame a{cycle.llt().matrixU(), {}}, b{triangles.llt().matrixU(), {}};
  EXPECT_EQ(compare_frames(a, b).is_equivalent, std::optional<bool>(false));
  EXPECT_EQ(compare_frames(a, permuted(a, 5)).is_equivalent, std::optional<bool>(true));
}

TEST(FrameEquivalence, Refuses_Frames_Of_Different_Sizes) {
  tests::expect_error<Error>([] { compare_frames(simplices(), {simplices_frame(6, 9), {}}); }, {"10", "9"});
}

}  // namespace
}  // namespace gnc
