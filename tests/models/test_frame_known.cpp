/// What is known of the best correlation at a size.

#include "models/frame_known.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/frame_bounds.h"

namespace gnc {
namespace {

constexpr FrameObjective kSigned = FrameObjective::kSigned, kAbsolute = FrameObjective::kAbsolute;

double value_of(int dim, int classes, FrameObjective objective) {
  const auto known = known_correlation(dim, classes, objective);
  return known ? known->value : std::nan("");
}

TEST(KnownCorrelation, Is_That_Of_A_Theorem_At_Any_Size_That_Has_One) {
  EXPECT_DOUBLE_EQ(value_of(1000, 30, kSigned), -1.0 / 29.0);
  EXPECT_EQ(value_of(777, 1500, kSigned), 0.0);
  EXPECT_DOUBLE_EQ(value_of(2, 31, kSigned), std::cos(2.0 * M_PI / 31.0));
  EXPECT_DOUBLE_EQ(value_of(2, 31, kAbsolute), std::cos(M_PI / 31.0));
  EXPECT_DOUBLE_EQ(value_of(35, 120, kAbsolute), 1.0 / 7.0);
  EXPECT_NEAR(value_of(52, 325, kSigned), 1.0 / 16.0, 1e-12);
  for (const auto& [dim, classes] : {std::pair{1000, 30}, {777, 1500}, {52, 325}})
    EXPECT_TRUE(known_correlation(dim, classes, kSigned)->is_exact);
}

TEST(KnownCorrelation, Is_That_Of_The_Tables) {
  EXPECT_DOUBLE_EQ(value_of(3, 13, kSigned), 0.542636486829639);
  EXPECT_NEAR(value_of(3, 8, kSigned), (2.0 * std::sqrt(2.0) - 1.0) / 7.0, 1e-15);  // the square antiprism
  EXPECT_TRUE(known_correlation(3, 13, kSigned)->is_exact);
  EXPECT_FALSE(known_correlation(3, 15, kSigned)->is_exact);
  EXPECT_FALSE(known_correlation(3, 15, kSigned)->is_soft);
  EXPECT_TRUE(known_correlation(8, 30, kSigned)->is_soft);
  EXPECT_DOUBLE_EQ(value_of(6, 29, kAbsolute), 0.497952253634824);
  EXPECT_GT(known_correlation(6, 29, kAbsolute)->accuracy, 1e-10);  // ten digits
  EXPECT_DOUBLE_EQ(value_of(66, 144, kAbsolute), 1.0 / 11.0);       // the last row
  EXPECT_DOUBLE_EQ(value_of(8, 39, kSigned), 0.243600150511572);
}

TEST(KnownCorrelation, Between_Equal_Sizes_Is_Theirs) {
  EXPECT_NEAR(value_of(7, 24, kAbsolute), 1.0 / 3.0, 1e-14);  // table: 23 and 25
  EXPECT_NEAR(value_of(6, 32, kSigned), 1.0 / 3.0, 1e-14);    // table: 30; a construction: 32
  EXPECT_TRUE(known_correlation(6, 32, kSigned)->is_soft);
  EXPECT_FALSE(known_correlation(7, 29 + 1, kAbsolute).has_value());
  EXPECT_FALSE(known_correlation(6, 33, kSigned).has_value());
  EXPECT_FALSE(known_correlation(5, 41, kSigned).has_value());
}

TEST(KnownCorrelation, Lies_Above_Every_Bound_And_Rises_With_C) {
  for (const FrameObjective objective : {kSigned, kAbsolute}) {
    for (int dim = 2; dim <= 24; ++dim) {
      double last = -1.0;
      for (int classes = 2; classes <= 130; ++classes) {
        const auto known = known_correlation(dim, classes, objective);
        if (!known) continue;
        EXPECT_GE(known->value, last - known->accuracy - 1e-12) << dim << ", " << classes;
        last = known->value;
        EXPECT_GE(known->value + known->accuracy + 1e-11, frame_bounds(dim, classes, objective).front().value)
            << to_string(objective) << " " << dim << ", " << classes;
        EXPECT_FALSE(known->source.empty());
      }
    }
  }
}

}  // namespace
}  // namespace gnc
