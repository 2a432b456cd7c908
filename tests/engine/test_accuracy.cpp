#include "engine/metrics/accuracy.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/error.h"

namespace gnc {
namespace {

TEST(Score, Averages_Over_Samples_Not_Over_Batches) {
  ScoreSum sum;
  sum.add(std::array{1.0F, 2.0F, 3.0F}, std::array{0, 1, 2}, std::array{0, 1, 1});
  sum.add(std::array{6.0F}, std::array{5}, std::array{4});
  const ClassificationScore score = sum.score();
  EXPECT_EQ(score.cross_entropy, 3);
  EXPECT_EQ(score.accuracy, 0.5);
  EXPECT_EQ(score.samples, 4);
}

TEST(Score, Sums_In_Double) {
  // In float the sum would stop growing at 2^24.
  ScoreSum sum;
  sum.add(std::array{0x1p24F}, std::array{0}, std::array{0});
  for (int i = 0; i < 3; ++i) sum.add(std::array{1.0F}, std::array{0}, std::array{0});
  EXPECT_EQ(sum.score().cross_entropy, (0x1p24 + 3) / 4);
}

TEST(Score, Of_Nothing_Is_NaN) {
  EXPECT_TRUE(std::isnan(ScoreSum{}.score().cross_entropy));
  EXPECT_TRUE(std::isnan(ScoreSum{}.score().accuracy));
}

TEST(Score, Passes_A_NaN_Loss_On) {
  ScoreSum sum;
  sum.add(std::array{1.0F, std::numeric_limits<float>::quiet_NaN()}, std::array{0, 0}, std::array{0, 0});
  EXPECT_TRUE(std::isnan(sum.score().cross_entropy));
}

TEST(Score, Refuses_Lengths_That_Differ) {
  ScoreSum sum;
  EXPECT_THROW(sum.add(std::array{1.0F}, std::array{0, 1}, std::array{0, 1}), ShapeError);
  EXPECT_THROW(sum.add(std::array{1.0F, 2.0F}, std::array{0}, std::array{0, 1}), ShapeError);
}

TEST(ConfusionMatrix, CountsEveryPairOnce) {
  const Eigen::MatrixXd counts =
      confusion_matrix(std::array{0, 1, 1, 2, -1, 1}, std::array{0, 0, 1, 1, 2, 0}, 3);
  const Eigen::MatrixXd expected{{1, 2, 0}, {0, 1, 1}, {0, 0, 0}};  // the −1 of a NaN logit is no class
  EXPECT_EQ(counts, expected);
  EXPECT_THROW(confusion_matrix(std::array{0}, std::array{0, 1}, 3), ShapeError);
  EXPECT_THROW(confusion_matrix(std::array{0}, std::array{3}, 3), Error);
}

}  // namespace
}  // namespace gnc
