/// Bounds against values that were proved elsewhere.

#include "models/frame_bounds.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace gnc {
namespace {

/// Rounding of a bisection over polynomials of degree <= 12 with values up to 2e5.
constexpr double kRounding = 1e-12;

FrameBound strongest(int dim, int classes, FrameObjective objective) {
  return frame_bounds(dim, classes, objective).front();
}

TEST(LevenshteinBound, Is_Tight_For_The_Sharp_Codes) {
  // Levenshtein 1992 and the table of sharp configurations in Cohn and Kumar 2007: icosahedron, Schläfli,
  // kissing codes of E8 and Leech and their derived codes.
  EXPECT_NEAR(levenshtein_bound(3, 12), 1.0 / std::sqrt(5.0), kRounding);
  EXPECT_NEAR(levenshtein_bound(5, 16), 1.0 / 5.0, kRounding);
  EXPECT_NEAR(levenshtein_bound(6, 27), 1.0 / 4.0, kRounding);
  EXPECT_NEAR(levenshtein_bound(7, 56), 1.0 / 3.0, kRounding);
  EXPECT_NEAR(levenshtein_bound(8, 240), 1.0 / 2.0, kRounding);
  EXPECT_NEAR(levenshtein_bound(21, 162), 1.0 / 7.0, kRounding);
  EXPECT_NEAR(levenshtein_bound(22, 275), 1.0 / 6.0, kRounding);
  EXPECT_NEAR(levenshtein_bound(23, 4600), 1.0 / 3.0, kRounding);
  EXPECT_NEAR(levenshtein_bound(24, 196560), 1.0 / 2.0, kRounding);
}

TEST(LevenshteinBound, Contains_The_Simplex_And_The_Cross_Polytope) {
  for (const int dim : {2, 5, 64}) {
    EXPECT_NEAR(levenshtein_bound(dim, dim + 1), -1.0 / dim, kRounding);
    EXPECT_NEAR(levenshtein_bound(dim, 2 * dim), 0.0, kRounding);
  }
}

TEST(LevenshteinBound, Rises_With_The_Number_Of_Vectors) {
  double last = -1.0;
  for (int classes = 3; classes < 400; ++classes) {
    const double bound = levenshtein_bound(4, classes);
    EXPECT_GT(bound, last) << classes;
    last = bound;
  }
  EXPECT_LT(last, 1.0);
}

TEST(SignedBounds, Are_Those_Of_Simplex_Rankin_And_Polygon) {
  EXPECT_EQ(strongest(6, 7, FrameObjective::kSigned).name, "simplex");
  EXPECT_DOUBLE_EQ(strongest(6, 7, FrameObjective::kSigned).value, -1.0 / 6.0);
  EXPECT_EQ(strongest(6, 10, FrameObjective::kSigned).name, "rankin");
  EXPECT_EQ(strongest(6, 10, FrameObjective::kSigned).value, 0.0);
  EXPECT_EQ(strongest(64, 100, FrameObjective::kSigned).value, 0.0);
  EXPECT_EQ(strongest(6, 12, FrameObjective::kSigned).value, 0.0);
  EXPECT_EQ(strongest(6, 13, FrameObjective::kSigned).name, "levenshtein");
  EXPECT_NEAR(strongest(2, 7, FrameObjective::kSigned).value, std::cos(2.0 * M_PI / 7.0), 1e-15);
  EXPECT_EQ(strongest(1, 3, FrameObjective::kSigned).value, 1.0);
  for (const int classes : {7, 8, 10, 12}) {
    EXPECT_EQ(strongest(6, classes, FrameObjective::kSigned).is_attained, true) << classes;
  }
}

TEST(SignedBounds, In_Space_Include_Fejes_Toth) {
  // 1943: the largest smallest angle of 12 points is that of the icosahedron.
  for (const FrameBound& bound : frame_bounds(3, 12, FrameObjective::kSigned)) {
    EXPECT_NEAR(bound.value, 1.0 / std::sqrt(5.0), kRounding) << bound.name;
  }
}

TEST(AbsoluteBounds, Are_Tight_Where_They_Are_Known_To_Be) {
  const auto value = [](int dim, int classes) {
    return strongest(dim, classes, FrameObjective::kAbsolute).value;
  };
  EXPECT_NEAR(value(3, 6), 1.0 / std::sqrt(5.0), kRounding);  // diagonals of the icosahedron: Welch
  EXPECT_NEAR(value(7, 28), 1.0 / 3.0, kRounding);            // an equiangular tight frame
  EXPECT_NEAR(value(23, 276), 1.0 / 5.0, kRounding);          // another
  EXPECT_NEAR(value(4, 6), 1.0 / 3.0, kRounding);             // Bukh and Cox 2020
  EXPECT_NEAR(value(7, 9), 1.0 / 5.0, kRounding);             // Bukh and Cox 2020
  EXPECT_NEAR(value(3, 7), 1.0 / std::sqrt(3.0), kRounding);  // orthoplex
  EXPECT_NEAR(value(8, 120), 1.0 / 2.0, kRounding);           // the lines of E8: Levenshtein
  EXPECT_NEAR(value(2, 5), std::cos(M_PI / 5.0), kRounding);
  EXPECT_EQ(value(5, 5), 0.0);
  EXPECT_NEAR(value(5, 6), 0.2, kRounding);  // the simplex
  EXPECT_EQ(value(1, 2), 1.0);
}

TEST(AbsoluteBounds, Apply_Orthoplex_And_Levenshtein_Only_Above_The_Gerzon_Number) {
  for (const FrameBound& bound : frame_bounds(4, 10, FrameObjective::kAbsolute)) {
    EXPECT_TRUE(bound.name != "orthoplex" && bound.name != "levenshtein") << bound.name;
  }
  EXPECT_EQ(strongest(4, 11, FrameObjective::kAbsolute).name, "orthoplex");
  EXPECT_EQ(strongest(64, 100, FrameObjective::kAbsolute).name, "welch");
}

}  // namespace
}  // namespace gnc
