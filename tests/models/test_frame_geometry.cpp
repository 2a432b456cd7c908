/// Measurements of frames whose geometry is known by hand.

#include "models/frame_geometry.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/linalg.h"

namespace gnc {
namespace {

Frame cross() {
  Frame frame;
  frame.vectors.resize(2, 4);
  frame.vectors << 1, 0, -1, 0, 0, 1, 0, -1;
  return frame;
}

TEST(FrameGeometry, Of_The_Cross_In_The_Plane) {
  const FrameGeometry geometry = measure_frame(cross());
  EXPECT_EQ(geometry.max_inner_product, 0.0);
  EXPECT_EQ(geometry.max_abs_inner_product, 1.0);
  EXPECT_EQ(geometry.pairs_at_maximum, 4);
  EXPECT_EQ(geometry.pairs_at_abs_maximum, 2);
  EXPECT_EQ(geometry.rank, 2);
  EXPECT_NEAR(geometry.tightness, 1.0, 1e-15);
  EXPECT_EQ(geometry.uniformity, 1.0);
  EXPECT_EQ(geometry.mean_norm, 0.0);
  ASSERT_EQ(geometry.gram_spectrum.size(), 2u);
  EXPECT_NEAR(geometry.gram_spectrum[0], 2.0, 1e-15);
  EXPECT_EQ(correlation(geometry, FrameObjective::kSigned), 0.0);
  EXPECT_EQ(correlation(geometry, FrameObjective::kAbsolute), 1.0);
}

TEST(FrameGeometry, Takes_Inner_Products_Of_Directions_Whatever_The_Norms) {
  Frame frame = cross();
  frame.vectors.col(1) *= 3.0;
  frame.vectors.col(2) *= 0.5;
  const FrameGeometry geometry = measure_frame(frame);
  EXPECT_EQ(geometry.max_abs_inner_product, 1.0);
  EXPECT_EQ(geometry.min_norm, 0.5);
  EXPECT_EQ(geometry.max_norm, 3.0);
  EXPECT_NEAR(geometry.uniformity, 1.0 / 6.0, 1e-16);
  EXPECT_NEAR(geometry.tightness, 1.0, 1e-15);
}

TEST(FrameGeometry, Of_Vectors_That_Do_Not_Span_Has_Less_Rank_And_No_Tightness) {
  Frame frame;
  frame.vectors = Eigen::MatrixXd::Zero(3, 4);
  frame.vectors.topRows(2) = cross().vectors;
  const FrameGeometry geometry = measure_frame(frame);
  EXPECT_EQ(geometry.rank, 2);
  EXPECT_EQ(geometry.tightness, 0.0);
  Frame few;
  few.vectors = Eigen::MatrixXd::Identity(5, 2);
  EXPECT_EQ(measure_frame(few).rank, 2);
  EXPECT_EQ(measure_frame(few).tightness, 0.0);
}

TEST(FrameGeometry, Of_Random_Vectors_Agrees_With_Loops) {
  Frame frame{gaussian_matrix(RandomStream(2, "test"), 5, 9), {}};
  double largest = -1.0, largest_absolute = 0.0, total = 0.0;
  for (int i = 0; i < 9; ++i) {
    for (int j = 0; j < 9; ++j) {
      double product = 0.0, a = 0.0, b = 0.0;
      for (int k = 0; k < 5; ++k) {
        product += frame.vectors(k, i) * frame.vectors(k, j);
        a += frame.vectors(k, i) * frame.vectors(k, i);
        b += frame.vectors(k, j) * frame.vectors(k, j);
      }
      const double cosine = product / std::sqrt(a * b);
      total += cosine * cosine;
      if (i == j) continue;
      largest = std::max(largest, cosine);
      largest_absolute = std::max(largest_absolute, std::abs(cosine));
    }
  }
  const FrameGeometry geometry = measure_frame(frame);
  EXPECT_NEAR(geometry.max_inner_product, largest, 1e-15);
  EXPECT_NEAR(geometry.max_abs_inner_product, largest_absolute, 1e-15);
  // The trace of the squared Gram matrix is the sum of its squared eigenvalues.
  double of_spectrum = 0.0;
  for (const double value : geometry.gram_spectrum) of_spectrum += value * value;
  EXPECT_NEAR(of_spectrum, total, 1e-12);
}

}  // namespace
}  // namespace gnc
