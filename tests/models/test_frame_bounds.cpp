/// Bounds against values that were proved elsewhere.

#include "models/frame_bounds.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <string_view>

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

TEST(AbsoluteBounds, Include_Those_Of_The_Points_In_Which_Lines_Meet_The_Sphere) {
  const auto value = [](int dim, int classes, std::string_view name) {
    for (const FrameBound& bound : frame_bounds(dim, classes, FrameObjective::kAbsolute)) {
      if (bound.name == name) return bound.value;
    }
    return std::nan("");
  };
  // Six lines are the icosahedron's twelve points, 120 lines the roots of E8, 98280 lines the Leech
  // lattice's.
  EXPECT_NEAR(value(3, 6, "fejes-toth"), 1.0 / std::sqrt(5.0), kRounding);
  EXPECT_NEAR(value(8, 120, "levenshtein-points"), 1.0 / 2.0, kRounding);
  EXPECT_NEAR(value(24, 98280, "levenshtein-points"), 1.0 / 2.0, kRounding);
  // Beyond 16 points of R^3 they are stronger than the bounds of lines.
  EXPECT_EQ(strongest(3, 50, FrameObjective::kAbsolute).name, "fejes-toth");
}

TEST(Bounds, Are_Attained_Where_A_Construction_Meets_Them_And_Nowhere_Else) {
  const auto is_attained = [](int dim, int classes, FrameObjective objective) {
    return strongest(dim, classes, objective).is_attained;
  };
  for (const auto& [dim, classes] :
       {std::pair{3, 12}, {5, 16}, {6, 27}, {8, 240}, {21, 112}, {22, 891}, {52, 325}})
    EXPECT_TRUE(is_attained(dim, classes, FrameObjective::kSigned)) << dim << ", " << classes;
  for (const auto& [dim, classes] :
       {std::pair{3, 6}, {4, 6}, {4, 11}, {6, 22}, {7, 28}, {9, 12}, {16, 140}, {23, 276}})
    EXPECT_TRUE(is_attained(dim, classes, FrameObjective::kAbsolute)) << dim << ", " << classes;
  for (const auto& [dim, classes] : {std::pair{3, 11}, {4, 24}, {4, 120}, {5, 15}, {8, 239}, {64, 4224}})
    EXPECT_FALSE(is_attained(dim, classes, FrameObjective::kSigned)) << dim << ", " << classes;
  for (const auto& [dim, classes] : {std::pair{3, 5}, {4, 7}, {5, 9}, {7, 27}, {16, 100}})
    EXPECT_FALSE(is_attained(dim, classes, FrameObjective::kAbsolute)) << dim << ", " << classes;
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
