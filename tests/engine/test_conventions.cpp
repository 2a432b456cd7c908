#include "engine/metrics/conventions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "engine/metrics/neural_collapse.h"
#include "engine/random.h"
#include "tests/engine/feature_cloud.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::Cloud;
using tests::gaussian_cloud;
using tests::gaussian_matrix;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

std::map<std::string, double> measure(const Cloud& cloud, const Eigen::MatrixXd& weights,
                                      const Eigen::VectorXd& bias = {}) {
  const auto values = measure_conventions(convention_names(), cloud.view(), {weights, bias});
  return {values.begin(), values.end()};
}

/// `per_class` samples on each column.
Cloud collapsed_cloud(const Eigen::MatrixXd& frame, int per_class) {
  Cloud cloud{.dim = static_cast<int>(frame.rows()),
              .classes = static_cast<int>(frame.cols()),
              .features = {},
              .labels = {}};
  for (int n = 0; n < per_class * cloud.classes; ++n) {
    std::vector<float> z;
    for (int k = 0; k < cloud.dim; ++k) z.push_back(static_cast<float>(frame(k, n % cloud.classes)));
    cloud.add(n % cloud.classes, z);
  }
  return cloud;
}

Eigen::MatrixXd tetrahedron() { return Eigen::MatrixXd{{1, 1, -1, -1}, {1, -1, 1, -1}, {1, -1, -1, 1}}; }

/// C − d antipodal pairs of axes and one vertex on each of the others.
Eigen::MatrixXd cross_polytope(int dimension, int classes) {
  Eigen::MatrixXd frame = Eigen::MatrixXd::Zero(dimension, classes);
  for (int k = 0; k < dimension; ++k) frame(k, k) = 1;
  for (int y = dimension; y < classes; ++y) frame(y - dimension, y) = -1;
  return frame;
}

TEST(Conventions, Are_All_At_Their_Best_On_A_Simplex) {
  auto values = measure(collapsed_cloud(tetrahedron(), 25), 5 * tetrahedron());
  for (const char* zero : {"papyan_nc1",
                           "papyan_equinorm_means",
                           "papyan_equinorm_classifier",
                           "papyan_equiangular_means",
                           "papyan_equiangular_classifier",
                           "papyan_nc3",
                           "papyan_nc4",
                           "zhu_nc1",
                           "zhu_nc2",
                           "zhu_nc3",
                           "zhu_nc4",
                           "los_nc1",
                           "los_nc2",
                           "los_nc3",
                           "los_nc4",
                           "yaras_nc1",
                           "yaras_nc2",
                           "yaras_nc3",
                           "jiang_gnc1",
                           "jiang_gnc3",
                           "wu_nc1_pinv",
                           "wu_nc1_quotient",
                           "wu_cdnv",
                           "wu_simplex_etf_error",
                           "wu_distance_variance",
                           "wu_log_distance_variance",
                           "wu_riesz_variance",
                           "wu_self_duality_error",
                           "galanti_cdnv",
                           "rangamani_nc1",
                           "rangamani_trace_within",
                           "rangamani_cdnv",
                           "markou_nc1",
                           "markou_vci",
                           "markou_nc2",
                           "markou_nc3",
                           "markou_nc4",
                           "markou_equinorm_means",
                           "markou_ncc_mismatch",
                           "seleznova_nc1",
                           "seleznova_nc2",
                           "seleznova_nc3",
                           "fang_equinorm_means",
                           "fang_dual_distance",
                           "fang_equiangular_means",
                           "yang_cosine_std_means",
                           "yang_nc3",
                           "frame_rankin_gap_means",
                           "frame_rankin_gap_centred_means",
                           "frame_rankin_gap_classifier",
                           "frame_welch_gap_classifier",
                           "frame_gram_error_means",
                           "frame_gram_error_floor",
                           "frame_feature_norm_std",
                           "liu_concentration"}) {
    ASSERT_TRUE(values.contains(zero)) << zero;
    EXPECT_NEAR(values[zero], 0, 64 * kEpsilon) << zero;  // a few roundings of numbers up to 9, or of 1
  }
  for (const char* one : {"jiang_ncc_accuracy", "rangamani_ncc_accuracy", "wu_agreement",
                          "wu_agreement_by_class", "nc_toolbox_agreement"}) {
    EXPECT_EQ(values[one], 1) << one;
  }
  EXPECT_NEAR(values["yang_dual_cosine_mean"], 1, 8 * kEpsilon);
  EXPECT_NEAR(values["frame_potential_classifier"], 1, 8 * kEpsilon);
  EXPECT_NEAR(values["frame_tightness_means"], 1, 8 * kEpsilon);
  EXPECT_NEAR(values["frame_feature_norm_mean"], std::sqrt(3.0), 8 * kEpsilon);
  EXPECT_NEAR(values["jiang_one_vs_rest"], 4.0 / 3, 16 * kEpsilon);
  EXPECT_NEAR(values["jiang_hardmax"], -4.0 / 3, 16 * kEpsilon);
  const double distance = std::sqrt(8.0 / 3);
  EXPECT_NEAR(values["wu_distance_mean"], distance, 8 * kEpsilon);
  EXPECT_NEAR(values["wu_log_distance_mean"], -std::log(distance), 8 * kEpsilon);
  EXPECT_NEAR(values["wu_riesz_mean"], 1 / distance, 8 * kEpsilon);  // s = d − 2 = 1
  EXPECT_NEAR(values["liu_uniformity"], 3.0 / 8, 8 * kEpsilon);
  EXPECT_NEAR(values["rangamani_trace_between"], 3, 8 * kEpsilon);
}

TEST(Conventions, Tell_A_Perfect_Cross_Polytope_From_A_Simplex) {
  for (const auto& [classes, dimension, printed] : {std::tuple{10, 6, 0.678}, std::tuple{100, 64, 0.687}}) {
    const Eigen::MatrixXd frame = cross_polytope(dimension, classes);
    auto values = measure(collapsed_cloud(frame, 3), frame);
    // G has C − d pairs [1 −1; −1 1] and 2d − C ones: ‖G‖² = 3C − 2d, <G, I − 11ᵀ/C> = C − (2d − C)/C.
    const double norm = std::sqrt(3.0 * classes - 2.0 * dimension);
    const double inner = classes - (2.0 * dimension - classes) / classes;
    const double error = std::sqrt(2 - 2 * inner / norm / std::sqrt(classes - 1.0));
    EXPECT_NEAR(error, printed, 5e-4);
    for (const char* name : {"zhu_nc2", "yaras_nc2", "yaras_nc3", "markou_nc2", "frame_gram_error_means"}) {
      EXPECT_NEAR(values[name], error, 1e-14) << name;
    }
    EXPECT_LT(values["frame_gram_error_floor"], error);
    EXPECT_DOUBLE_EQ(values["frame_gram_error_floor"],
                     std::sqrt(2 - 2 * std::sqrt(dimension / (classes - 1.0))));
    EXPECT_EQ(values["frame_rankin_gap_classifier"], 0) << "optimal in the signed sense";
    EXPECT_EQ(values["frame_max_abs_cosine_classifier"], 1) << "and the worst there is in the other";
    EXPECT_NEAR(values["frame_potential_classifier"],
                (3.0 * classes - 2 * dimension) * dimension / classes / classes, 1e-14);
    EXPECT_NEAR(values["frame_tightness_classifier"], 0.5, 8 * kEpsilon);
    EXPECT_NEAR(values["jiang_one_vs_rest"], 1, 1e-14);
    EXPECT_EQ(values["papyan_nc1"], 0);
    EXPECT_EQ(values["papyan_nc4"], 0);
    EXPECT_NEAR(values["markou_vci"], 0, 1e-13);
    // ‖Wᵀμ_G‖, W = H: μ_G is 1/C on the 2d − C single axes.
    EXPECT_NEAR(values["zhu_nc4"], std::sqrt(2.0 * dimension - classes) / classes, 1e-15);
  }
}

TEST(Conventions, Reach_The_Floor_Of_The_Gram_Error_With_A_Centred_Tight_Frame) {
  // The whole cross-polytope: tight, and its columns sum to 0.
  auto values = measure(collapsed_cloud(cross_polytope(5, 10), 2), cross_polytope(5, 10));
  EXPECT_NEAR(values["frame_gram_error_classifier"], values["frame_gram_error_floor"], 1e-14);
  EXPECT_GT(values["frame_gram_error_floor"], 0.7);
  EXPECT_NEAR(values["frame_potential_classifier"], 1, 1e-14);
  EXPECT_NEAR(values["frame_tightness_classifier"], 1, 1e-14);
}

TEST(Conventions, Estimate_The_Known_Covariance_Of_Gaussian_Classes) {
  // Means on the tetrahedron: S_B = I, ‖μ_a − μ_b‖² = 8; within a class diag(σ²).
  constexpr int kSamples = 40000;
  const Eigen::Vector3d sigma(0.2, 0.5, 1);
  const RandomStream random(11, "test.conventions");
  Cloud cloud{.dim = 3, .classes = 4, .features = {}, .labels = {}};
  std::uint64_t position = 0;
  for (int n = 0; n < kSamples; ++n) {
    std::vector<float> z;
    for (int k = 0; k < 3; ++k) {
      z.push_back(static_cast<float>(tetrahedron()(k, n % 4) + sigma[k] * random.normal(position++)));
    }
    cloud.add(n % 4, z);
  }
  auto values = measure(cloud, tetrahedron());
  const double within = sigma.squaredNorm();
  // Five standard errors: a variance has √(2/N) of itself; a mean of a class 2σ/√N, which moves a squared
  // distance of means and S_B by at most twice that.
  const double relative = 5 * (std::sqrt(2.0 / kSamples) + 4 * sigma.maxCoeff() / std::sqrt(kSamples));
  const std::map<std::string, double> expected{
      {"papyan_nc1", within},
      {"zhu_nc1", within / 4},
      {"wu_nc1_pinv", within / 4},
      {"wu_nc1_quotient", within / 3},
      {"galanti_cdnv", within / 8},
      {"rangamani_trace_within", within},
      {"rangamani_trace_between", 3},
      {"seleznova_nc1", sigma.mean()},
      {"markou_vci", 1 - (1 / (1 + sigma.array().square())).mean()},
      {"fang_squared_feature_norm", within + 3},
  };
  for (const auto& [name, value] : expected) EXPECT_NEAR(values[name], value, relative * value) << name;
}

TEST(Conventions, Agree_With_The_Collapse_Report_Where_They_Are_The_Same) {
  for (const auto& [dimension, classes] : {std::pair{33, 7}, std::pair{6, 10}, std::pair{5, 6}}) {
    const Cloud cloud = gaussian_cloud(517, dimension, classes, 0.5, 3);
    const Eigen::MatrixXd classifier = gaussian_matrix(dimension, classes, 4);
    const CollapseReport report = measure_collapse(cloud.view(), classifier);
    auto values = measure(cloud, classifier);
    // 517 ε, magnified by S_B's condition, below 1000 for these clouds.
    const double tolerance = 517 * 1000 * kEpsilon;
    EXPECT_NEAR(values["wu_nc1_pinv"], report.within_between_pinv, tolerance);
    EXPECT_NEAR(values["wu_nc1_quotient"], report.within_between_quotient, tolerance);
    EXPECT_NEAR(values["papyan_equiangular_means"], report.equiangular, tolerance);
    EXPECT_NEAR(values["papyan_nc3"], report.self_duality, tolerance);
    EXPECT_NEAR(values["papyan_nc4"], report.nc4, tolerance);
    EXPECT_NEAR(values["frame_max_cosine_means"], report.max_cosine_means, tolerance);
    // Without markou S_W is summed on the span of the means.
    const std::vector<std::string> alone{"wu"};
    const auto projected = measure_conventions(alone, cloud.view(), {classifier, {}});
    ASSERT_EQ(projected.front().first, "wu_nc1_pinv");
    EXPECT_NEAR(projected.front().second, report.within_between_pinv, tolerance);
  }
}

TEST(Conventions, Cannot_Have_A_Negative_Nc1_However_Close_The_Collapse) {
  Cloud cloud = gaussian_cloud(400, 20, 6, 1e-6, 8);  // fp32 leaves a spread of 1e-7
  auto values = measure(cloud, gaussian_matrix(20, 6, 1));
  for (const char* name : {"papyan_nc1", "zhu_nc1", "jiang_gnc1", "galanti_cdnv"}) {
    EXPECT_GT(values[name], 0) << name;
    EXPECT_LT(values[name], 1e-9) << name;
  }
  // 1 − Tr((S_B + S_W)⁺ S_B)/5 is Tr(S_W S_B⁺)/5 to first order; the trace rounds by a few ε.
  EXPECT_NEAR(values["markou_vci"], values["markou_nc1"] * 6 / 5, 64 * kEpsilon);
}

TEST(Conventions, Use_The_Bias_Where_The_Source_Does) {
  const Cloud cloud = collapsed_cloud(tetrahedron(), 2);
  auto values = measure(cloud, tetrahedron(), Eigen::Vector4d(100, 0, 0, 0));
  EXPECT_DOUBLE_EQ(values["papyan_nc4"], 0.75);  // the logits say class 0 for all
  EXPECT_DOUBLE_EQ(values["markou_ncc_mismatch"], 0.75);
  EXPECT_EQ(values["wu_agreement"], 1);
  EXPECT_DOUBLE_EQ(values["zhu_nc4"], 100);  // μ_G = 0
}

TEST(Conventions, Leave_NaN_Where_There_Is_No_Geometry) {
  Cloud cloud = collapsed_cloud(tetrahedron(), 2);
  std::fill(cloud.features.begin(), cloud.features.end(), 0.0F);
  auto values = measure(cloud, tetrahedron());
  for (const char* name : {"papyan_nc1", "zhu_nc1", "zhu_nc3", "jiang_gnc1", "jiang_gnc3", "galanti_cdnv",
                           "papyan_equinorm_means", "papyan_nc3", "markou_vci", "wu_riesz_mean",
                           "frame_max_cosine_means", "frame_tightness_means"}) {
    EXPECT_TRUE(std::isnan(values[name])) << name << " is " << values[name];
  }
  EXPECT_EQ(values["rangamani_cdnv"], 0);  // its denominator is at least 1e-15
  EXPECT_NEAR(values["zhu_nc2"], 0, 8 * kEpsilon);

  values = measure(collapsed_cloud(tetrahedron(), 2), Eigen::MatrixXd::Zero(3, 4));
  for (const char* name : {"zhu_nc2", "los_nc2", "papyan_equiangular_classifier", "jiang_one_vs_rest",
                           "jiang_hardmax", "liu_uniformity", "frame_max_cosine_classifier"}) {
    EXPECT_TRUE(std::isnan(values[name])) << name << " is " << values[name];
  }
  EXPECT_EQ(values["papyan_nc1"], 0);
}

TEST(Conventions, Have_Columns_That_Begin_With_Their_Source_And_Match_The_Values) {
  std::vector<std::string> header;
  for (const std::string& source : convention_names()) {
    for (const std::string& column : convention_columns(source)) {
      EXPECT_EQ(column.rfind(source + "_", 0), 0U) << column;
      EXPECT_EQ(std::count(header.begin(), header.end(), column), 0) << column;
      header.push_back(column);
    }
  }
  const std::vector<std::string> names = convention_names();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  const auto values =
      measure_conventions(names, collapsed_cloud(tetrahedron(), 1).view(), {tetrahedron(), {}});
  ASSERT_EQ(values.size(), header.size());
  for (std::size_t i = 0; i < header.size(); ++i) EXPECT_EQ(values[i].first, header[i]);
}

TEST(Conventions, Name_What_Is_Wrong) {
  const Cloud cloud = collapsed_cloud(tetrahedron(), 1);
  const auto attempt = [&](std::vector<std::string> sources, const LinearClassifier& classifier) {
    static_cast<void>(measure_conventions(sources, cloud.view(), classifier));
  };
  const LinearClassifier good{tetrahedron(), {}};
  tests::expect_error<Error>([&] { attempt({"zhou"}, good); }, {"'zhou'", "did you mean 'zhu'?"});
  tests::expect_error<Error>([] { convention_columns("papian"); }, {"'papian'", "did you mean 'papyan'?"});
  tests::expect_error<Error>([&] { attempt({"zhu", "wu", "zhu"}, good); }, {"'zhu' is named twice"});
  tests::expect_error<ShapeError>(
      [&] {
        attempt({"zhu"}, {tetrahedron().transpose(), {}});
      },
      {"classifier [4,3]", "expected [3,4]"});
  tests::expect_error<ShapeError>(
      [&] {
        attempt({"zhu"}, {tetrahedron(), Eigen::VectorXd::Zero(3)});
      },
      {"bias of 3 numbers", "4 classes"});
  Eigen::MatrixXd bad = tetrahedron();
  bad(0, 2) = std::numeric_limits<double>::infinity();
  tests::expect_error<Error>([&] { attempt({"zhu"}, {bad, {}}); }, {"column 2 of the classifier"});
}

}  // namespace
}  // namespace gnc
