#include "engine/metrics/conventions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "engine/metrics/feature_moments.h"
#include "engine/metrics/one_vs_rest.h"
#include "tests/engine/feature_cloud.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::Cloud;

// The rational features of tests/parity/conventions_reference.py.
constexpr int kSamples = 61, kDim = 4, kClasses = 7;

Cloud rational_cloud() {
  Cloud cloud{.dim = kDim, .classes = kClasses, .features = {}, .labels = {}};
  for (int n = 0; n < kSamples; ++n) {
    const int label = n < kClasses ? n : (n * n) % kClasses;
    std::vector<float> z;
    for (int k = 0; k < kDim; ++k)
      z.push_back(static_cast<float>((37 * n + 91 * k + 13 * n * k) % 101) / 128 +
                  static_cast<float>((label + 1) * (k + 2) * 29 % 17) / 8);
    cloud.add(label, z);
  }
  return cloud;
}

Eigen::MatrixXd rational_classifier() {
  Eigen::MatrixXd classifier(kDim, kClasses);
  for (int c = 0; c < kClasses; ++c)
    for (int k = 0; k < kDim; ++k) classifier(k, c) = (19 * c + 53 * k + 7 * c * k) % 31 / 16.0 - 1;
  return classifier;
}

Eigen::VectorXd rational_bias() {
  Eigen::VectorXd bias(kClasses);
  for (int c = 0; c < kClasses; ++c) bias[c] = 5 * c % 7 / 8.0 - 0.5;
  return bias;
}

TEST(Conventions, Agree_With_The_Definitions_In_NumPy) {
  const std::map<std::string, std::vector<double>> expected = {
      {"papyan",
       {1.05960025362732, 0.296040305851923, 0.380872200148299, 0.413959089720628, 0.395497504660415,
        1.63799736038438, 0.983606557377049}},
      {"zhu", {0.148347683784405, 0.870593629622954, 1.30368078562154, 3.93066873256525}},
      {"los", {0.148347683784405, 0.832616552210325, 1.30130575808542}},
      {"yaras", {0.148347683784405, 0.870593629622954, 1.37628590384844}},
      {"jiang",
       {0.179589283429244, 0.32734420676372, 0.698813857314584, 0.808124103681141, 0.967213114754098}},
      {"wu",
       {0.151371464803903, 0.151371464803903, 0.15275011588459, 0.829380994031568, 1.29931558750763,
        1.48159535937002, 0.11602919999627, -0.360275688670323, 0.0744934924432715, 0.591314598064484,
        0.268327586539554, 0.0163934426229508}},
      {"galanti", {0.0589066421660526}},
      {"rangamani", {0.148347683784405, 0.0589066421660526, 1}},
      {"markou", {0.189228191162195, 0.459041815515425, 0.983606557377049}},
      {"yan",
       {-0.113334710693052, 0.507317398276007, -0.0888435556383762, 0.456867748380844, 0.00518265386253396,
        0.475051393827672, 0.322913134738444}},
      {"lpm", {0.424990139440264, 0.445611688264721, 1.63325128620658, 1.2779872011122, -0.259925228802344}},
      {"fsx", {0.424990139440264, 1.2779872011122, -0.757572516492988}},
      {"ntk", {0.943439668556409, 1.2779872011122}},
      {"hug", {0.591314598064484}},
      {"frame",
       {0.993041182720861, 0.993041182720861, 0.639487792127587, 0.993041182720861, 0.00984032738532626,
        0.698813857314584, 0.96583426160782, 0.612280871014546, 0.698813857314584, 0.151594999354141,
        2.78392505159997, 0.391638598579577}},
  };
  const Cloud cloud = rational_cloud();
  ASSERT_EQ(expected.size(), Conventions::sources().size());
  for (const auto& [source, values] : expected) {
    const Conventions conventions(std::span(&source, 1));
    const std::vector<std::string> names = conventions.names();
    const std::vector<double> measured =
        conventions.measure(cloud.view(), rational_classifier(), rational_bias());
    ASSERT_EQ(measured.size(), values.size()) << source;
    // Both sides are double; S_B's smallest eigenvalue is 1e-2 of its largest, so that rounding grows by 1e2,
    // and NumPy's numbers are printed with 15 digits.
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(measured[i], values[i], 1e-12 * std::max(1.0, std::abs(values[i]))) << names[i];
  }
}

TEST(Conventions, Are_Chosen_By_Source_In_The_Order_Given) {
  const std::vector<std::string> sources = {"zhu", "galanti", "zhu"};
  const std::vector<std::string> expected = {"zhu_nc1", "zhu_etf_classifier", "zhu_self_duality",
                                             "zhu_bias_collapse", "galanti_cdnv"};
  EXPECT_EQ(Conventions(sources).names(), expected);
  EXPECT_TRUE(Conventions().measure(rational_cloud().view(), rational_classifier()).empty());
  const std::vector<std::string> wrong = {"zhou"};
  tests::expect_error<Error>([&] { static_cast<void>(Conventions(wrong)); },
                             {"'zhou' is not a source of metrics", "did you mean 'zhu'"});
}

std::map<std::string, double> all_of(const Cloud& cloud, const Eigen::MatrixXd& classifier) {
  const Conventions conventions(Conventions::sources());
  const std::vector<double> values = conventions.measure(cloud.view(), classifier);
  std::map<std::string, double> result;
  for (std::size_t i = 0; i < values.size(); ++i) result[conventions.names()[i]] = values[i];
  return result;
}

/// Two samples of each class, both at its column.
Cloud collapsed_onto(const Eigen::MatrixXd& columns) {
  Cloud cloud{.dim = static_cast<int>(columns.rows()),
              .classes = static_cast<int>(columns.cols()),
              .features = {},
              .labels = {}};
  for (int copy = 0; copy < 2; ++copy)
    for (int c = 0; c < cloud.classes; ++c) {
      const Eigen::VectorXf z = columns.col(c).cast<float>();
      cloud.add(c, {z.begin(), z.end()});
    }
  return cloud;
}

TEST(Conventions, Of_A_Perfect_Simplex_Are_At_Their_Limits) {
  // 4 of the corners of the cube in R^3: exact in float.
  Eigen::MatrixXd simplex(3, 4);
  simplex << 1, 1, -1, -1, 1, -1, 1, -1, 1, -1, -1, 1;
  std::map<std::string, double> values = all_of(collapsed_onto(simplex), simplex);
  for (const char* zero : {"papyan_nc1",
                           "papyan_equinorm_means",
                           "papyan_equinorm_classifier",
                           "papyan_equiangular_means",
                           "papyan_self_duality",
                           "papyan_nc4",
                           "zhu_nc1",
                           "zhu_etf_classifier",
                           "zhu_self_duality",
                           "zhu_bias_collapse",
                           "los_self_duality",
                           "yaras_self_duality",
                           "jiang_gnc1",
                           "jiang_gnc3",
                           "wu_nc1_quotient",
                           "wu_etf_means",
                           "wu_distance_variance",
                           "galanti_cdnv",
                           "markou_vci",
                           "frame_welch_gap_means",
                           "frame_rankin_gap_means",
                           "fsx_log_distance_cov"})
    EXPECT_NEAR(values.at(zero), 0, 1e-7) << zero;  // roots of rounding errors are up to √(30ε) = 8e-8
  EXPECT_EQ(values.at("jiang_ncc_accuracy"), 1);
  EXPECT_EQ(values.at("wu_agreement"), 1);
  EXPECT_NEAR(values.at("frame_tightness_means"), 1, 1e-14);
  // Unit vectors with cosine −1/3: distance √(8/3); a corner is 4/3 from the middle of the opposite face.
  EXPECT_NEAR(values.at("wu_distance_mean"), std::sqrt(8.0 / 3), 1e-14);
  EXPECT_NEAR(values.at("wu_riesz_mean"), 1 / std::sqrt(8.0 / 3), 1e-14);  // s = d − 2 = 1
  EXPECT_NEAR(values.at("jiang_gnc2"), 4.0 / 3, 1e-12);
}

TEST(Conventions, For_A_Simplex_Do_Not_Vanish_On_The_Optimal_Frame_Of_More_Classes) {
  // C of the vectors ±e_i: the Gram matrix G has ones on the diagonal, −1 for C − d pairs, so ‖G‖² = 3C − 2d
  // and its entries sum to 2d − C. With S the simplex's, ‖S‖ = 1, ‖G/‖G‖ − S‖² = 2 − 2<G,S>/‖G‖: 0.678 at
  // (10,6).
  for (const auto& [classes, dim] : {std::pair(10, 6), std::pair(100, 64)}) {
    Eigen::MatrixXd cross = Eigen::MatrixXd::Zero(dim, classes);
    for (int c = 0; c < classes; ++c) cross(c % dim, c) = c < dim ? 1 : -1;
    const double product = (classes - (2.0 * dim - classes) / classes) / std::sqrt(classes - 1.0);
    const double expected = std::sqrt(2 - 2 * product / std::sqrt(3.0 * classes - 2.0 * dim));
    EXPECT_GT(expected, 0.67);
    const std::map<std::string, double> values = all_of(collapsed_onto(cross), cross);
    EXPECT_NEAR(values.at("zhu_etf_classifier"), expected, 1e-13);
    // What is made for C > d does vanish.
    EXPECT_NEAR(values.at("frame_rankin_gap_means"), 0, 1e-15);
    EXPECT_NEAR(values.at("jiang_gnc1"), 0, 1e-15);
  }
}

TEST(Conventions, Nc1_Of_Gaussian_Clouds_Is_What_Their_Covariance_Says) {
  // Means ±e_i of R^2, within-covariance σ²I: S_B = (1/C) Σ μμᵀ = I/2, Tr(S_W S_B⁺)/C = 2σ²·2/4 = σ².
  constexpr int kPerClass = 20'000;
  constexpr double kSigma = 0.5;
  const RandomStream random(7, "test.conventions");
  Cloud cloud{.dim = 2, .classes = 4, .features = {}, .labels = {}};
  std::uint64_t position = 0;
  Eigen::MatrixXd means(2, 4);
  means << 1, -1, 0, 0, 0, 0, 1, -1;
  for (int n = 0; n < 4 * kPerClass; ++n) {
    const float x = static_cast<float>(means(0, n % 4) + kSigma * random.normal(position++));
    const float y = static_cast<float>(means(1, n % 4) + kSigma * random.normal(position++));
    cloud.add(n % 4, {x, y});
  }
  const std::map<std::string, double> values = all_of(cloud, means);
  // A variance of 160 000 squares is known to √(2/160 000) = 0.35 %; S_B's error is of the same size. Five
  // times both.
  const double tolerance = 5 * 2 * 0.0035 * kSigma * kSigma;
  EXPECT_NEAR(values.at("zhu_nc1"), kSigma * kSigma, tolerance);
  EXPECT_NEAR(values.at("papyan_nc1"), 4 * kSigma * kSigma, 4 * tolerance);
  // Opposite pairs are 2 apart, the four others √2: mean of 2σ²·2/(2·4) and 2σ²·2/(2·2), σ² a coordinate.
  const double cdnv = (2 * (2 * kSigma * kSigma / 4) + 4 * (2 * kSigma * kSigma / 2)) / 6;
  EXPECT_NEAR(values.at("galanti_cdnv"), cdnv, 2 * tolerance);
}

TEST(OneVsRest, Distance_Is_Known_For_Simple_Hulls) {
  // Orthonormal vectors: to the middle of the other C − 1, √(1 + 1/(C−1)).
  EXPECT_NEAR(one_vs_rest_distance(Eigen::MatrixXd::Identity(5, 5)), std::sqrt(1.25), 1e-12);
  // The square's corners: to the diagonal through the neighbours.
  Eigen::MatrixXd square(2, 4);
  square << 1, -1, 0, 0, 0, 0, 1, -1;
  EXPECT_NEAR(one_vs_rest_distance(square), 1, 1e-12);
  // Two equal vectors.
  Eigen::MatrixXd twice(2, 3);
  twice << 1, 1, 0, 0, 0, 1;
  EXPECT_NEAR(one_vs_rest_distance(twice), 0, 1e-12);
  EXPECT_TRUE(std::isnan(one_vs_rest_distance(Eigen::MatrixXd::Zero(2, 3))));
}

TEST(OneVsRest, Nearest_Point_Comes_With_Bounds_That_Meet) {
  for (const auto& [dim, count] : {std::pair(3, 50), std::pair(64, 99), std::pair(20, 5)}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      // Away from the origin, so that it is outside.
      const Eigen::MatrixXd points =
          tests::gaussian_matrix(dim, count, seed).array() + 3.0 / std::sqrt(static_cast<double>(dim));
      const NearestPoint found = nearest_point_of_hull(points);
      EXPECT_LE(found.distance - found.lower_bound, 1e-11 * found.distance) << dim << " " << count;
      EXPECT_GT(found.lower_bound, 0);
    }
  }
  // Inside: the distance is nothing.
  Eigen::MatrixXd around(2, 3);
  around << 1, -1, 0, -1, -1, 1;
  EXPECT_NEAR(nearest_point_of_hull(around).distance, 0, 1e-12);
  tests::expect_error<Error>([] { static_cast<void>(nearest_point_of_hull(Eigen::MatrixXd(2, 0))); },
                             {"0 points"});
}

TEST(FeatureMoments, Refuse_A_Bias_Of_Another_Size) {
  tests::expect_error<ShapeError>(
      [] {
        static_cast<void>(measure_moments(rational_cloud().view(), rational_classifier(),
                                          Eigen::VectorXd::Ones(3), FeatureScale::kAsTheyAre));
      },
      {"3 biases; expected 7"});
}

}  // namespace
}  // namespace gnc
