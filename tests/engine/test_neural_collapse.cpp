#include "engine/metrics/neural_collapse.h"

#include <gtest/gtest.h>

#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/random.h"
#include "tests/engine/feature_cloud.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::Cloud;
using tests::expect_same;
using tests::gaussian_cloud;
using tests::gaussian_matrix;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

/// Samples exactly on the scaled columns of a frame, `per_class` each.
Cloud collapsed_cloud(const Eigen::MatrixXd& frame, double scale, int per_class) {
  Cloud cloud{.dim = static_cast<int>(frame.rows()),
              .classes = static_cast<int>(frame.cols()),
              .features = {},
              .labels = {}};
  for (int i = 0; i < per_class; ++i) {
    for (int y = 0; y < cloud.classes; ++y) {
      std::vector<float> z;
      for (int k = 0; k < cloud.dim; ++k) z.push_back(static_cast<float>(scale * frame(k, y)));
      cloud.add(y, z);
    }
  }
  return cloud;
}

/// Four corners of a cube, exact in float: a simplex of norm √3.
Eigen::MatrixXd tetrahedron() { return Eigen::MatrixXd{{1, 1, -1, -1}, {1, -1, 1, -1}, {1, -1, -1, 1}}; }

/// The first C of the 2d vertices e_1, −e_1, e_2, −e_2, …
Eigen::MatrixXd cross_polytope(int dim, int classes) {
  Eigen::MatrixXd frame = Eigen::MatrixXd::Zero(dim, classes);
  // Pairs first on C − d axes, then one vertex on each of the others, so that all axes are used.
  int y = 0;
  for (int axis = 0; axis < dim; ++axis) {
    frame(axis, y++) = 1;
    if (axis < classes - dim) frame(axis, y++) = -1;
  }
  return frame;
}

double value_of(const CollapseReport& report, const std::string& name) {
  for (const auto& [column, value] : columns(report)) {
    if (column == name) return value;
  }
  ADD_FAILURE() << "no column " << name;
  return std::numeric_limits<double>::quiet_NaN();
}

// Closed forms.

TEST(NeuralCollapse, Is_Zero_Everywhere_For_Features_On_A_Simplex) {
  const CollapseReport report = measure_collapse(collapsed_cloud(tetrahedron(), 4, 33).view(), tetrahedron());
  for (const char* exact : {"nc1", "nc4", "within_between_pinv", "within_between_quotient", "mean_offset"}) {
    EXPECT_EQ(value_of(report, exact), 0) << exact;
  }
  // Unit vectors carry a rounding or two per component.
  for (const char* rounded : {"nc2", "nc3", "equinorm", "equiangular", "self_duality"}) {
    EXPECT_NEAR(value_of(report, rounded), 0, 8 * kEpsilon) << rounded;
  }
  EXPECT_NEAR(report.max_cosine_means, -1.0 / 3, 4 * kEpsilon);
  EXPECT_EQ(report.between_rank, 3);
  EXPECT_EQ(report.smallest_margin, 4 * (3 - -1));
  EXPECT_NEAR(report.dual_distance, 3 * std::sqrt(3.0), 8 * kEpsilon);  // z − M = 3M
}

TEST(NeuralCollapse, Matches_Known_Variances_In_The_Plane) {
  // Class 0 at (1 ± a, 0), class 1 at (−1, ±b): means ±e_1, S_W = diag(a²/2, b²/2), S_B = diag(1, 0).
  constexpr double a = 0.25;
  constexpr double b = 0.5;
  Cloud cloud{.dim = 2, .classes = 2, .features = {}, .labels = {}};
  cloud.add(0, {1 + a, 0});
  cloud.add(1, {-1, b});
  cloud.add(0, {1 - a, 0});
  cloud.add(1, {-1, -b});
  const CollapseReport report = measure_collapse(cloud.view(), Eigen::MatrixXd{{1, -1}, {0, 0}});
  EXPECT_DOUBLE_EQ(report.nc1, (a + b) / 2);
  EXPECT_DOUBLE_EQ(report.within_between_quotient, (a * a + b * b) / 2);
  EXPECT_DOUBLE_EQ(report.within_between_pinv, a * a / 2 / 2);  // only the range of S_B counts
  EXPECT_EQ(report.between_rank, 1);
  EXPECT_EQ(report.nc3, 0);
  EXPECT_EQ(report.nc4, 0);
  EXPECT_DOUBLE_EQ(report.margins(0, 1), 2 * (1 - a));
  EXPECT_DOUBLE_EQ(report.margins(1, 0), 2);
  EXPECT_DOUBLE_EQ(report.smallest_margin, 2 * (1 - a));
  EXPECT_DOUBLE_EQ(report.mean_margin, 2 - a);
}

TEST(NeuralCollapse, Nc2_Is_The_Chord_Between_Directions_Whatever_The_Norms) {
  const Eigen::MatrixXd classifier{{5, -5}, {0, 0}};
  const auto nc2 = [&](std::vector<float> first) {
    Cloud cloud{.dim = 2, .classes = 2, .features = {}, .labels = {}};
    cloud.add(0, first);
    cloud.add(1, {-9, 0});  // aligned: contributes 0 of 2 samples
    return measure_collapse(cloud.view(), classifier).nc2 * 2;
  };
  EXPECT_EQ(nc2({0.125F, 0}), 0);
  EXPECT_DOUBLE_EQ(nc2({0, 7}), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(nc2({-1e-30F, 0}), 2);
  EXPECT_DOUBLE_EQ(nc2({0, 0}), 1);
}

TEST(NeuralCollapse, Nc4_Counts_Samples_Whose_Logits_And_Nearest_Mean_Disagree) {
  // Means at (3,0) and (0,1). The classifier's boundary is x = y; the bisector of the means is y = 3x − 4.
  Cloud cloud{.dim = 2, .classes = 2, .features = {}, .labels = {}};
  cloud.add(0, {4, 0});
  cloud.add(0, {2, 0});
  cloud.add(1, {1, 0});  // logits say 0, nearest mean says 1
  cloud.add(1, {-1, 2});
  EXPECT_DOUBLE_EQ(measure_collapse(cloud.view(), Eigen::MatrixXd::Identity(2, 2)).nc4, 0.25);
}

TEST(NeuralCollapse, Nc4_Takes_The_First_Class_At_A_Tie) {
  Cloud cloud{.dim = 2, .classes = 2, .features = {}, .labels = {}};
  cloud.add(0, {2, 2});  // equal logits, and nearer to its own mean (3,0) than to (−1,1)
  cloud.add(0, {4, -2});
  cloud.add(1, {-1, 1});
  EXPECT_EQ(measure_collapse(cloud.view(), Eigen::MatrixXd::Identity(2, 2)).nc4, 0);
}

TEST(NeuralCollapse, Global_Mean_Weighs_Classes_Equally_When_Counts_Differ) {
  Cloud cloud{.dim = 1, .classes = 3, .features = {}, .labels = {}};
  for (int i = 0; i < 50; ++i) cloud.add(0, {1});
  cloud.add(1, {4});
  cloud.add(2, {7});
  const CollapseReport report = measure_collapse(cloud.view(), Eigen::MatrixXd{{1, 2, 3}});
  EXPECT_DOUBLE_EQ(report.mean_offset, 1);                // μ_G = 4 = mean norm; over samples it is 1.17
  EXPECT_DOUBLE_EQ(report.equinorm, std::sqrt(2.0) / 2);  // |−3|, 0, |3|: deviation √2 over mean 2
  EXPECT_EQ(report.between_rank, 1);
}

TEST(NeuralCollapse, Means_Of_A_Cross_Polytope_Are_Off_Centre_By_The_Known_Amount) {
  for (const auto& [classes, dim] : {std::pair{10, 6}, std::pair{100, 64}, std::pair{4, 2}}) {
    const Eigen::MatrixXd frame = cross_polytope(dim, classes);
    const CollapseReport report = measure_collapse(collapsed_cloud(frame, 2, 3).view(), frame);
    EXPECT_NEAR(report.mean_offset, std::sqrt(2.0 * dim - classes) / classes, 4 * kEpsilon) << classes;
    EXPECT_EQ(report.max_cosine_means, 0) << classes;
    EXPECT_EQ(report.nc1, 0) << classes;
    EXPECT_EQ(report.nc2, 0) << classes;
    EXPECT_EQ(report.nc3, 0) << classes;
    EXPECT_EQ(report.nc4, 0) << classes;
    EXPECT_EQ(report.between_rank, dim) << classes;
    EXPECT_GT(report.equiangular, 0.01) << "a perfect code of C > d + 1 vectors is no simplex";
  }
}

// Against the definitions

TEST(NeuralCollapse, Keeps_Its_Digits_When_The_Spread_Is_Tiny_Beside_The_Means) {
  // One float step off 4096: E‖z‖² − ‖E z‖² would keep two digits, even in double.
  constexpr float step = 0x1p-11F;
  Cloud cloud{.dim = 1, .classes = 2, .features = {}, .labels = {}};
  for (const float sign : {1.0F, -1.0F}) {
    cloud.add(0, {4096 + sign * step});
    cloud.add(1, {4097 + sign * step});
  }
  const CollapseReport report = measure_collapse(cloud.view(), Eigen::MatrixXd{{1, 2}});
  EXPECT_DOUBLE_EQ(report.nc1, 0x1p-11 / 4096.5);
  EXPECT_DOUBLE_EQ(report.within_between_quotient, 0x1p-22 / 0.25);
  EXPECT_DOUBLE_EQ(report.within_between_pinv, 0x1p-22 / 0.25 / 2);
}

TEST(NeuralCollapse, Pinv_Ignores_Directions_That_Are_Only_Rounding) {
  // Means 0.1·y·(1,…,1) in 40 dimensions: S_B has one real direction, λ = 40·0.01·Var(0…4) = 0.8, and beside
  // it what the floats' rounding left. The samples lie ±0.5 off their mean along one axis each, so u =
  // (1,…,1)/√40 sees 0.25/40.
  Cloud cloud{.dim = 40, .classes = 5, .features = {}, .labels = {}};
  for (std::size_t n = 0; n < 400; ++n) {
    const auto y = static_cast<int>(n % 5);
    std::vector<float> z(40, static_cast<float>(y) * 0.1F);
    z[n / 5 % 40] += n < 200 ? 0.5F : -0.5F;
    cloud.add(y, z);
  }
  const CollapseReport report = measure_collapse(cloud.view(), gaussian_matrix(40, 5, 4));
  EXPECT_EQ(report.between_rank, 1);
  EXPECT_NEAR(report.within_between_pinv, 0.25 / 40 / 0.8 / 5, 1e-8);  // float steps of 3e-8 near 0.5
}

// Invariances.

TEST(NeuralCollapse, Does_Not_See_A_Rotation_Of_Features_And_Classifier) {
  const Cloud cloud = gaussian_cloud(200, 6, 10, 0.3, 21);
  const Eigen::MatrixXd classifier = gaussian_matrix(6, 10, 22);
  const Eigen::MatrixXd rotation =
      Eigen::HouseholderQR<Eigen::MatrixXd>(gaussian_matrix(6, 6, 23)).householderQ();
  Cloud rotated = cloud;
  const Eigen::Map<const Eigen::MatrixXf> z(cloud.features.data(), 6, 200);
  Eigen::Map<Eigen::MatrixXf>(rotated.features.data(), 6, 200) = (rotation * z.cast<double>()).cast<float>();
  // The rotated features are rounded to float: 6e-8 of each component, magnified by the condition of S_B
  // (about 10).
  expect_same(measure_collapse(rotated.view(), rotation * classifier),
              measure_collapse(cloud.view(), classifier), 1e-5);
}

TEST(NeuralCollapse, Does_Not_See_The_Names_Of_The_Classes) {
  const Cloud cloud = gaussian_cloud(200, 6, 10, 0.3, 31);
  const Eigen::MatrixXd classifier = gaussian_matrix(6, 10, 32);
  const std::vector<int> renamed = RandomStream(33, "test.permutation").permutation(10);
  Cloud permuted = cloud;
  Eigen::MatrixXd permuted_classifier(6, 10);
  for (std::int32_t& label : permuted.labels) label = renamed[static_cast<std::size_t>(label)];
  for (int y = 0; y < 10; ++y)
    permuted_classifier.col(renamed[static_cast<std::size_t>(y)]) = classifier.col(y);
  const CollapseReport before = measure_collapse(cloud.view(), classifier);
  CollapseReport after = measure_collapse(permuted.view(), permuted_classifier);
  EXPECT_EQ(after.margins(renamed[2], renamed[5]), before.margins(2, 5));
  after.margins = before.margins;
  expect_same(after, before, 1e-12);  // only the order of sums over ten classes differs
}

TEST(NeuralCollapse, Does_Not_See_A_Scale_Of_The_Features) {
  const Cloud cloud = gaussian_cloud(200, 6, 10, 0.3, 41);
  const Eigen::MatrixXd classifier = gaussian_matrix(6, 10, 42);
  Cloud scaled = cloud;
  for (float& feature : scaled.features) feature *= 1024;  // exact
  const CollapseReport before = measure_collapse(cloud.view(), classifier);
  CollapseReport after = measure_collapse(scaled.view(), classifier);
  EXPECT_EQ(after.smallest_margin, 1024 * before.smallest_margin);
  EXPECT_GT(after.dual_distance, before.dual_distance);
  after.margins = before.margins;
  after.smallest_margin = before.smallest_margin;
  EXPECT_DOUBLE_EQ(after.mean_margin, 1024 * before.mean_margin);
  after.mean_margin = before.mean_margin;
  after.dual_distance = before.dual_distance;
  expect_same(after, before, 1e-12);
}

TEST(NeuralCollapse, Repeats_Its_Bits) {
  const Cloud cloud = gaussian_cloud(777, 13, 9, 0.3, 51);
  const Eigen::MatrixXd classifier = gaussian_matrix(13, 9, 52);
  EXPECT_EQ(columns(measure_collapse(cloud.view(), classifier)),
            columns(measure_collapse(cloud.view(), classifier)));
}

// Corners.

TEST(NeuralCollapse, Has_No_Spread_With_One_Sample_Per_Class) {
  const CollapseReport report =
      measure_collapse(gaussian_cloud(10, 6, 10, 0.3, 61).view(), gaussian_matrix(6, 10, 62));
  EXPECT_EQ(report.nc1, 0);
  EXPECT_EQ(report.within_between_pinv, 0);
  EXPECT_EQ(report.between_rank, 6);
}

TEST(NeuralCollapse, Is_Undefined_For_Features_That_Shrank_To_Zero) {
  const CollapseReport report = measure_collapse(collapsed_cloud(tetrahedron(), 0, 2).view(), tetrahedron());
  EXPECT_TRUE(std::isnan(report.nc1));
  EXPECT_TRUE(std::isnan(report.nc3));
  EXPECT_TRUE(std::isnan(report.within_between_pinv));
  EXPECT_TRUE(std::isnan(report.equiangular));
  EXPECT_EQ(report.nc2, 1);
  EXPECT_EQ(report.between_rank, 0);
  EXPECT_EQ(report.smallest_margin, 0);
}

TEST(NeuralCollapse, Has_No_Pinv_When_All_Means_Coincide) {
  Cloud cloud{.dim = 2, .classes = 2, .features = {}, .labels = {}};
  for (const int label : {0, 1}) {
    cloud.add(label, {1, 1});
    cloud.add(label, {1, -1});
  }
  const CollapseReport report = measure_collapse(cloud.view(), Eigen::MatrixXd::Identity(2, 2));
  EXPECT_TRUE(std::isnan(report.within_between_pinv)) << "0 would read as a perfect collapse";
  EXPECT_EQ(report.within_between_quotient, std::numeric_limits<double>::infinity());
}

TEST(NeuralCollapse, Columns_Start_With_The_Papers_Four) {
  const std::vector<std::string> names = collapse_column_names();
  ASSERT_GE(names.size(), 4U);
  EXPECT_EQ(std::vector<std::string>(names.begin(), names.begin() + 4),
            (std::vector<std::string>{"nc1", "nc2", "nc3", "nc4"}));
  for (const std::string& name : names) EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
}

// Bad input.

template <class Expected>
void expect_error(const Cloud& cloud, const Eigen::MatrixXd& classifier, std::string_view part) {
  tests::expect_error<Expected>([&] { static_cast<void>(measure_collapse(cloud.view(), classifier)); },
                                {part});
}

TEST(NeuralCollapse, Names_The_Sample_And_Class_Of_A_Feature_That_Is_Not_Finite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Cloud cloud = collapsed_cloud(tetrahedron(), 1, 3);
    cloud.features[3 * 6 + 1] = bad;
    expect_error<Error>(cloud, tetrahedron(), "component 1 of sample 6 (class 2)");
  }
}

TEST(NeuralCollapse, Names_The_Class_Without_A_Sample) {
  Cloud cloud = collapsed_cloud(tetrahedron(), 1, 1);
  cloud.labels[2] = 1;
  expect_error<Error>(cloud, tetrahedron(), "class 2 has none of the 4 samples");
}

TEST(NeuralCollapse, Names_A_Label_That_Is_No_Class) {
  Cloud cloud = collapsed_cloud(tetrahedron(), 1, 1);
  cloud.labels[3] = 4;
  expect_error<Error>(cloud, tetrahedron(), "label of sample 3 is 4");
  cloud.labels[3] = -1;
  expect_error<Error>(cloud, tetrahedron(), "label of sample 3 is -1");
}

TEST(NeuralCollapse, Refuses_Shapes_That_Do_Not_Fit) {
  Cloud cloud = collapsed_cloud(tetrahedron(), 1, 1);
  expect_error<ShapeError>(cloud, tetrahedron().transpose(), "classifier [4,3]");
  cloud.features.pop_back();
  expect_error<ShapeError>(cloud, tetrahedron(), "11 numbers for 4 labels");
  const Cloud single{.dim = 3, .classes = 1, .features = {1, 2, 3}, .labels = {0}};
  expect_error<ShapeError>(single, Eigen::MatrixXd::Ones(3, 1), "1 classes; expected at least 2");
}

TEST(NeuralCollapse, Names_The_Column_Of_A_Classifier_That_Is_Not_Finite) {
  Eigen::MatrixXd classifier = tetrahedron();
  classifier(2, 1) = std::numeric_limits<double>::quiet_NaN();
  expect_error<Error>(collapsed_cloud(tetrahedron(), 1, 1), classifier, "column 1 of the classifier");
}

}  // namespace
}  // namespace gnc
