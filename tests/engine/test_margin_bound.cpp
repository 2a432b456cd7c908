#include "engine/metrics/margin_bound.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/engine/feature_cloud.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::Cloud;

/// Classes 0 and 1 on the axis at ±1, class 0 twice, with the classifier M = (e_1, −e_1).
Cloud two_classes() {
  Cloud cloud{.dim = 1, .classes = 2, .features = {}, .labels = {}};
  cloud.add(0, {1});
  cloud.add(0, {3});
  cloud.add(1, {-2});
  return cloud;
}

TEST(MarginBound, Of_Two_Classes_Is_What_The_Theorem_Says_Term_By_Term) {
  Eigen::MatrixXd classifier(1, 2);
  classifier << 1, -1;
  const CollapseReport report = measure_collapse(two_classes().view(), classifier);
  // (M_0 − M_1)z is 2 and 6 on class 0, (M_1 − M_0)z is 4 on class 1.
  EXPECT_EQ(report.margins(0, 1), 2);
  EXPECT_EQ(report.margins(1, 0), 4);
  EXPECT_EQ(report.largest_margin, 6);
  const MarginBound bound = margin_bound(report, classifier, 0.1);
  // Λ = 2; ℜ_2 = 2√(1 + 9)/2 on class 0, ℜ_1 = 2√4/1 on class 1; p = 2/3 and 1/3.
  const double rademacher = 2.0 / 3 * std::sqrt(10.0) / 2 + 1.0 / 3 * 4 / 4;
  const double logarithm = 2.0 / 3 * std::sqrt(std::log(std::log2(4 * 6 / 2.0)) / 2) +
                           1.0 / 3 * std::sqrt(std::log(std::log2(4 * 6 / 4.0)) / 1);
  const double probability =
      2.0 / 3 * std::sqrt(std::log(2 / 0.1) / 4) + 1.0 / 3 * std::sqrt(std::log(2 / 0.1) / 2);
  // A handful of roundings of numbers near 1.
  EXPECT_NEAR(bound.rademacher, rademacher, 1e-14);
  EXPECT_NEAR(bound.logarithm, logarithm, 1e-14);
  EXPECT_NEAR(bound.probability, probability, 1e-14);
  EXPECT_NEAR(bound.total(), rademacher + logarithm + probability, 1e-14);
  EXPECT_EQ(bound.unseparated_pairs, 0);
  EXPECT_TRUE(std::isnan(bound.minority_cosine));
}

TEST(MarginBound, Says_Nothing_Where_A_Pair_Is_Not_Separated) {
  Cloud cloud = two_classes();
  cloud.add(1, {0.5F});
  Eigen::MatrixXd classifier(1, 2);
  classifier << 1, -1;
  const MarginBound bound = margin_bound(measure_collapse(cloud.view(), classifier), classifier);
  EXPECT_EQ(bound.unseparated_pairs, 1);
  EXPECT_TRUE(std::isnan(bound.total()));
}

TEST(MarginBound, Falls_With_The_Margins_Alone) {
  // The same features against longer classifiers: γ, K and Λ grow alike, so the terms stay; a nearer sample
  // lowers γ and raises the bound.
  Eigen::MatrixXd classifier(1, 2);
  classifier << 1, -1;
  const double plain = margin_bound(measure_collapse(two_classes().view(), classifier), classifier).total();
  const Eigen::MatrixXd longer = 8 * classifier;
  EXPECT_NEAR(margin_bound(measure_collapse(two_classes().view(), longer), longer).total(), plain, 1e-13);
  Cloud nearer = two_classes();
  nearer.features[0] = 0.25F;
  EXPECT_GT(margin_bound(measure_collapse(nearer.view(), classifier), classifier).total(), plain);
}

TEST(MarginBound, Splits_Off_The_Pairs_Of_Minority_Classes) {
  // One class of 20, two of 4: only the pair (1, 2) is minority. The simplex of three in the plane.
  Cloud cloud{.dim = 2, .classes = 3, .features = {}, .labels = {}};
  Eigen::MatrixXd classifier(2, 3);
  classifier << 1, -0.5, -0.5, 0, std::sqrt(0.75), -std::sqrt(0.75);
  for (int n = 0; n < 28; ++n) {
    const int y = n < 20 ? 0 : 1 + n % 2;
    cloud.add(y, {static_cast<float>(classifier(0, y)), static_cast<float>(classifier(1, y))});
  }
  const CollapseReport report = measure_collapse(cloud.view(), classifier);
  const MarginBound bound = margin_bound(report, classifier);
  // γ = 3/2, K = 3/2, Λ = √3, ℜ_4 = √3·√4/4; p = 4/28 each, two ordered pairs: Corollary 3.12's coefficient
  // 1/(C_1 R + C − C_1) = 1/7. Features are float.
  const double term = std::sqrt(3.0) / 2 / 1.5 + std::sqrt(std::log(std::log2(4.0)) / 4);
  EXPECT_NEAR(bound.minority, 2.0 / 7 * term, 1e-6);
  EXPECT_NEAR(bound.minority_cosine, -0.5, 1e-15);
  EXPECT_NEAR(bound.smallest_minority_margin, 1.5, 1e-6);
  EXPECT_LT(bound.minority, bound.rademacher + bound.logarithm);
}

TEST(MarginLemma, Residual_Is_Zero_After_Collapse_At_Any_Length_Of_The_Features) {
  Eigen::MatrixXd classifier(2, 4);
  classifier << 1, -1, 0, 0, 0, 0, 1, -1;
  for (const float length : {1.0F, 8.0F}) {
    Cloud cloud{.dim = 2, .classes = 4, .features = {}, .labels = {}};
    for (int y = 0; y < 4; ++y)
      cloud.add(
          y, {length * static_cast<float>(classifier(0, y)), length * static_cast<float>(classifier(1, y))});
    EXPECT_EQ(margin_lemma_residual(measure_collapse(cloud.view(), classifier), classifier), 0);
    // One class half as long: γ_0j is half of what the others have. By hand: margins of class 0 are
    // 0.5·(2,1,1), expected (2,1,1) for every class; a = (0.5·6 + 3·6)/(4·6) = 0.875; largest |1 − 0.875·2| =
    // 0.75.
    cloud.features[0] *= 0.5F;
    EXPECT_NEAR(margin_lemma_residual(measure_collapse(cloud.view(), classifier), classifier), 0.75 / 0.875,
                1e-14);
  }
}

TEST(MarginBound, Refuses_What_Is_No_Probability_And_No_Classifier) {
  Eigen::MatrixXd classifier(1, 2);
  classifier << 1, -1;
  const CollapseReport report = measure_collapse(two_classes().view(), classifier);
  for (const double delta : {0.0, 1.0, std::nan("")})
    tests::expect_error<Error>([&] { static_cast<void>(margin_bound(report, classifier, delta)); },
                               {"delta", "(0,1)"});
  tests::expect_error<Error>([&] { static_cast<void>(margin_bound(report, Eigen::MatrixXd::Ones(1, 3))); },
                             {"3 classes", "of 2"});
}

}  // namespace
}  // namespace gnc
