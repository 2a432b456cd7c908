/// Covering numbers, intrinsic dimension and Theorem 4.2 against closed forms and naive loops.

#include "engine/metrics/covering.h"

#include <gtest/gtest.h>

#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/metrics/covering_bound.h"
#include "engine/metrics/margin_bound.h"
#include "engine/modules/lipschitz.h"
#include "engine/random.h"
#include "tests/engine/feature_cloud.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

Eigen::MatrixXd on_a_line(const std::vector<double>& places) {
  Eigen::MatrixXd points(std::ssize(places), 1);
  for (Eigen::Index i = 0; i < points.rows(); ++i) points(i, 0) = places[static_cast<std::size_t>(i)];
  return points;
}

/// Uniform in the unit cube of the first `dim` of `ambient` dimensions, then rotated.
Eigen::MatrixXd uniform_cube(int samples, int dim, int ambient, std::uint64_t seed) {
  const RandomStream random(seed, "test.cube");
  Eigen::MatrixXd points = Eigen::MatrixXd::Zero(samples, ambient);
  std::uint64_t position = 0;
  for (Eigen::Index i = 0; i < samples; ++i)
    for (Eigen::Index k = 0; k < dim; ++k) points(i, k) = random.uniform(position++);
  const Eigen::MatrixXd rotation =
      tests::gaussian_matrix(ambient, ambient, seed + 1).householderQr().householderQ();
  return points * rotation;
}

TEST(PairwiseDistances, AreThoseOfALoop) {
  Eigen::MatrixXd points = 1000 * Eigen::MatrixXd::Ones(20, 7) + tests::gaussian_matrix(20, 7, 1);
  points.row(3) = points.row(4);
  points(5, 0) = points(6, 0) + 1e-7;  // two that nearly coincide, far from the origin
  points.row(5).tail(6) = points.row(6).tail(6);
  const Eigen::MatrixXd distances = pairwise_distances(points);
  for (Eigen::Index i = 0; i < 20; ++i)
    for (Eigen::Index j = 0; j < 20; ++j) {
      const double expected = (points.row(i) - points.row(j)).norm();
      // A square is good to a few ε of the largest squared norm (some 20 here, the threshold 1e-8 of it).
      ASSERT_NEAR(distances(i, j), expected, 1e-7 * expected) << i << " and " << j;
    }
  EXPECT_EQ(distances(3, 4), 0);
}

TEST(GreedyNet, CoversALineAsWorkedOutByHand) {
  // From 0: farthest is 10 (radius 10), then 4 (radius 4), then 1 and the rest.
  const GreedyNet net(pairwise_distances(on_a_line({0, 1, 4, 10})));
  ASSERT_EQ(net.radii().size(), 4U);
  EXPECT_NEAR(net.radii()[0], 10, 1e-12);
  EXPECT_NEAR(net.radii()[1], 4, 1e-12);
  EXPECT_NEAR(net.radii()[2], 1, 1e-12);
  EXPECT_EQ(net.radii()[3], 0);
  EXPECT_EQ(net.size(10.5), 1);
  EXPECT_EQ(net.size(5), 2);
  EXPECT_EQ(net.size(2), 3);
  EXPECT_EQ(net.size(0.5), 4);
}

/// What its documentation promises, by brute force: it covers, and its points are apart.
TEST(GreedyNet, CoversEveryPointAndPacks) {
  const Eigen::MatrixXd distances = pairwise_distances(uniform_cube(150, 3, 5, 7));
  const GreedyNet net(distances);
  std::vector<Eigen::Index> chosen = {0};
  for (std::size_t k = 0; k + 1 < net.radii().size(); ++k) {
    Eigen::Index farthest = 0;
    double radius = -1;
    for (Eigen::Index i = 0; i < distances.cols(); ++i) {
      double nearest = distances(i, chosen[0]);
      for (const Eigen::Index centre : chosen) nearest = std::min(nearest, distances(i, centre));
      if (nearest > radius) {
        radius = nearest;
        farthest = i;
      }
    }
    ASSERT_EQ(net.radii()[k], radius) << "after " << k + 1;
    ASSERT_LE(net.size(radius * 1.0001), static_cast<int>(k) + 1);
    ASSERT_GT(net.size(radius), static_cast<int>(k) + 1)
        << "open balls of that radius leave the farthest out";
    chosen.push_back(farthest);
  }
}

TEST(GreedyNet, OfPointsThatCoincideIsOnePoint) {
  EXPECT_EQ(GreedyNet(Eigen::MatrixXd::Zero(5, 5)).size(1e-9), 1);
}

/// On a sphere, which has no border, and where P(|x − y| < t) is known. On S^m its logarithm has the slope
///   s(t) = t^m (1 − t²/4)^{(m−2)/2} / ∫_0^t r^{m−1} (1 − r²/4)^{(m−2)/2} dr
/// in log t, the dimension at that scale. Given T_k, the k − 1 nearer ones are independent, each log(T_k/T_j)
/// is exponential of rate m where s = m, and of a rate between s(T_k) and m where s falls; on S² (Archimedes)
/// s = 2 for all t.
///
/// The estimate is the inverse of the mean of n(k−1) such terms (MacKay and Ghahramani's average), so that,
/// for independent terms, its asymptotic standard error is m/√(n(k−1)). They are not independent: a distance
/// is among the neighbours of both its ends, so that at most every term counts twice, and the variance
/// doubles (300 clouds of 400 points deviate by 1.36, 1.29 and 1.33 times it, m = 1, 2, 4). Four such
/// standard errors are allowed, and below what the slope falls to at the largest T_k.
TEST(IntrinsicDimension, IsThatOfTheSphere) {
  constexpr int kPoints = 1200, kNeighbours = 10, kAmbient = 10;
  for (const int dim : {1, 2, 4}) {
    Eigen::MatrixXd points = Eigen::MatrixXd::Zero(kPoints, kAmbient);
    points.leftCols(dim + 1) = tests::gaussian_matrix(kPoints, dim + 1, 3);
    points.rowwise().normalize();
    const Eigen::MatrixXd rotation =
        tests::gaussian_matrix(kAmbient, kAmbient, 4).householderQr().householderQ();
    const Eigen::MatrixXd distances = pairwise_distances(points * rotation);
    double farthest = 0;  // T_k of all points
    for (Eigen::Index i = 0; i < kPoints; ++i) {
      std::vector<double> row(distances.col(i).begin(), distances.col(i).end());
      std::ranges::nth_element(row, row.begin() + kNeighbours);  // the first is the point itself
      farthest = std::max(farthest, row[kNeighbours]);
    }
    const auto density = [&](double r) {
      return std::pow(r, dim - 1) * std::pow(1 - r * r / 4, (dim - 2) / 2.0);
    };
    double mass = 0;  // midpoints: exact to 1e-6 of it
    constexpr int kCells = 1000;
    for (int i = 0; i < kCells; ++i) mass += density((i + 0.5) * farthest / kCells) * farthest / kCells;
    const double slope = farthest * density(farthest) / mass;
    const double error = 4 * std::sqrt(2) / std::sqrt(kPoints * (kNeighbours - 1.0));
    const double found = intrinsic_dimension(distances, kNeighbours);
    EXPECT_LE(found, std::max(slope, 1.0 * dim) * (1 + error)) << farthest;
    EXPECT_GE(found, std::min(slope, 1.0 * dim) * (1 - error)) << farthest;
    EXPECT_NEAR(slope, dim, 0.1 * dim) << "the sphere is too small for its points: nothing is shown";
  }
}

TEST(IntrinsicDimension, MatchesItsFormulaOnFourPoints) {
  // Neighbours of 0: 1, 3, 7; of 1: 1, 2, 6; of 3: 2, 3, 4; of 7: 4, 6, 7; k = 3.
  const double sum = std::log(7.0 / 1) + std::log(7.0 / 3) + std::log(6.0 / 1) + std::log(6.0 / 2) +
                     std::log(4.0 / 2) + std::log(4.0 / 3) + std::log(7.0 / 4) + std::log(7.0 / 6);
  EXPECT_NEAR(intrinsic_dimension(pairwise_distances(on_a_line({0, 1, 3, 7})), 3), 8 / sum, 1e-12);
}

TEST(IntrinsicDimension, IsNotANumberWithoutNeighbours) {
  EXPECT_TRUE(std::isnan(intrinsic_dimension(Eigen::MatrixXd::Zero(5, 5))));
}

TEST(CoveringNumber, GrowsByTheDimensionBeyondTheSample) {
  const GreedyNet net(pairwise_distances(uniform_cube(100, 2, 2, 5)));
  const double resolved = net.radii()[49];
  EXPECT_NEAR(log10_covering_number(net, 2, 2 * resolved), std::log10(net.size(2 * resolved)), 0);
  EXPECT_NEAR(log10_covering_number(net, 2, resolved / 10), std::log10(50) + 2, 1e-12);
  EXPECT_NEAR(log10_covering_number(net, 20, resolved / 1000), std::log10(50) + 60, 1e-10);
  EXPECT_TRUE(std::isnan(log10_covering_number(net, std::nan(""), resolved / 10)));
}

/// Two classes on a line, inputs and features alike but for a factor: every term is a closed form.
struct Line {
  std::vector<float> inputs = {1, 1.5, 2, 3, -1, -1.5, -2, -3};
  std::vector<std::int32_t> labels = {0, 0, 0, 0, 1, 1, 1, 1};
  std::vector<float> features;
  Eigen::MatrixXd classifier = (Eigen::MatrixXd(1, 2) << 1, -1).finished();
  LipschitzBound norms{.constant = 6, .layers = {{.name = "a", .spectral = 6, .row_sum = 6, .rows = 1}}};

  explicit Line(float slope) {
    for (const float x : inputs) features.push_back(slope * x);
  }
  CoveringBound bound(double gradient = 0) const {
    const FeatureView view{.features = features, .labels = labels, .feature_dim = 1, .num_classes = 2};
    const CollapseReport collapse = measure_collapse(view, classifier);
    const std::vector<ClassSupport> supports = class_supports(inputs, labels, 2);
    return covering_bound({.supports = supports,
                           .features = features,
                           .labels = labels,
                           .classifier = classifier,
                           .collapse = collapse,
                           .norms = norms,
                           .steepest_gradient = gradient});
  }
};

TEST(CoveringBound, HasTheClosedFormsOfALine) {
  const CoveringBound bound = Line(2).bound();
  EXPECT_NEAR(bound.lipschitz_secant, 2, 1e-12);
  EXPECT_TRUE(std::isnan(bound.lipschitz_gradient));
  EXPECT_EQ(bound.lipschitz_norms, 6);
  // γ = (1 − (−1))·2·1 = 4, ‖M_0 − M_1‖ = 2: ε = 4/(2·2) = 1.
  EXPECT_NEAR(bound.radius, 1, 1e-12);
  // From 1 the net takes 3 (radius 2), then 2 (radius 1), then 1.5 (0.5): within 1 of three of four points.
  EXPECT_NEAR(bound.error_net, 0.5 * 3 / 4, 1e-12);
  // Half the points are 2, at radius 1: the numbers by the net. Σ 𝒩/(2N) = (3 + 3)/16.
  EXPECT_NEAR(bound.log10_error, std::log10(6.0 / 16), 1e-12);
  EXPECT_EQ(bound.classes_sampled_enough, 2);
  // ε = 4/(6·2) = 1/3 < 1: 2·3^m points a class, m by the neighbours of each point.
  const double sum = 2 * (std::log(2 / 0.5) + std::log(2 / 1.0) + std::log(1.5 / 0.5) + std::log(1.5 / 0.5) +
                          std::log(1 / 0.5) + std::log(1 / 1.0) + std::log(2 / 1.0) + std::log(2 / 1.5));
  const double dimension = 16 / sum;
  EXPECT_NEAR(bound.intrinsic_dimension, dimension, 1e-12);
  EXPECT_NEAR(bound.log10_error_norms, std::log10(2 * 2 * std::pow(3, dimension) / 16), 1e-12);
  // a = 2 for the least margins: γ = a(‖M‖² − <M,M>) = 2a; √ of the theorem: a√((1+1)/2)/L = 2/2.
  EXPECT_NEAR(bound.log10_error_collapsed, bound.log10_error, 1e-12);
}

TEST(CoveringBound, TakesTheSteeperOfSecantAndGradient) {
  const CoveringBound bound = Line(2).bound(4);
  EXPECT_EQ(bound.lipschitz_gradient, 4);
  EXPECT_NEAR(bound.radius, 0.5, 1e-12);
  EXPECT_NEAR(bound.error_net, 0.5, 1e-12) << "0.5 is not within an open ball of 0.5";
}

TEST(CoveringBound, DoesNotDependOnTheScaleOfTheFeatures) {
  const CoveringBound one = Line(2).bound(), other = Line(8).bound();
  EXPECT_NEAR(one.radius, other.radius, 1e-12);
  EXPECT_NEAR(one.log10_error, other.log10_error, 1e-12);
}

TEST(CoveringBound, SaysNothingWhereClassesAreNotSeparated) {
  Line line(2);
  line.features[0] = -1;
  const CoveringBound bound = line.bound();
  EXPECT_TRUE(std::isnan(bound.radius));
  EXPECT_TRUE(std::isnan(bound.error_net));
  EXPECT_TRUE(std::isnan(bound.log10_error));
  EXPECT_TRUE(std::isnan(bound.rademacher_spectral));
  EXPECT_GT(bound.lipschitz_secant, 0);
}

/// One set of supports serves every network that has seen the pictures.
TEST(ClassSupport, SaysWhatNoNetworkChanges) {
  const Line line(2);
  const std::vector<ClassSupport> supports = class_supports(line.inputs, line.labels, 2);
  ASSERT_EQ(supports.size(), 2U);
  for (const ClassSupport& support : supports) {
    EXPECT_EQ(support.values, 1);
    EXPECT_NEAR(support.mean_square, 16.25 / 4, 1e-15);
    EXPECT_EQ(support.largest_square, 9);
    EXPECT_NEAR(support.distances(0, 3), 2, 1e-12);
    EXPECT_EQ(support.net.radii().size(), 4U);
  }
}

TEST(ClassSupport, RefusesWhatIsNoSetOfClasses) {
  const std::vector<float> inputs = {1, 2, 3};
  const std::vector<std::int32_t> two = {0, 1}, beyond = {0, 1, 2}, absent = {0, 2, 2};
  EXPECT_THROW(class_supports(inputs, two, 2), ShapeError);
  tests::expect_error<Error>([&] { class_supports(inputs, beyond, 2); }, {"label 2", "[0,2)"});
  tests::expect_error<Error>([&] { class_supports(inputs, absent, 3); }, {"--bounds", "class 1"});
}

TEST(CoveringBound, RefusesWhatDoesNotFit) {
  Line line(2);
  line.features.pop_back();
  const Line whole(2);
  const FeatureView view{
      .features = whole.features, .labels = line.labels, .feature_dim = 1, .num_classes = 2};
  const CollapseReport collapse = measure_collapse(view, line.classifier);
  const std::vector<ClassSupport> supports = class_supports(line.inputs, line.labels, 2);
  EXPECT_THROW(covering_bound({.supports = supports,
                               .features = line.features,
                               .labels = line.labels,
                               .classifier = line.classifier,
                               .collapse = collapse,
                               .norms = line.norms}),
               ShapeError);
}

/// A chain of three layers, the last of which is the functional, by the formula of the paper it is from:
/// Π s · (Σ (b/s)^{2/3})^{3/2}, b/s = 1 for the functional.
TEST(SpectralRademacher, IsBartlettFosterTelgarskysForAChain) {
  LipschitzBound first{.constant = 2, .layers = {{.name = "a", .spectral = 2, .row_sum = 5, .rows = 30}}};
  LipschitzBound second{.constant = 3, .layers = {{.name = "b", .spectral = 3, .row_sum = 7, .rows = 4}}};
  const LipschitzBound chain = std::move(first).then(std::move(second));
  const double complexity =
      1.5 * 6 * std::pow(std::pow(5.0 / 2, 2.0 / 3) + std::pow(7.0 / 3, 2.0 / 3) + 1, 1.5);
  const double expected = 4 * (1.5 * 6 * 3) / std::pow(50.0, 1.5) +
                          18 * std::log(50.0) / 50 * 9 * std::sqrt(std::log(2.0 * 30 * 30)) * complexity;
  EXPECT_NEAR(
      spectral_rademacher(
          chain, {.functional = 1.5, .data_norm = 9, .samples = 50, .largest_norm = 3, .input_values = 20}),
      expected, 1e-12 * expected);
}

/// The term of Theorem 3.8 on the line: two classes of four, γ = 4 both ways, |M_0 − M_1| = 2, ‖x‖² = 1
/// + 2.25
/// + 4 + 9 a class.
TEST(CoveringBound, PutsTheRademacherTermTogether) {
  const Line line(2);
  const double rademacher = spectral_rademacher(
      line.norms,
      {.functional = 2, .data_norm = std::sqrt(16.25), .samples = 4, .largest_norm = 3, .input_values = 1});
  EXPECT_NEAR(line.bound().rademacher_spectral, 2 * 0.5 * rademacher / 4, 1e-12 * rademacher);
}

/// Margins that are not those of collapsed features: only the printed form takes the least-squares factor.
TEST(CoveringBound, PrintedFormTakesTheMarginsOfCollapsedFeatures) {
  Line line(2);
  line.features = {2, 3, 4, 6, -4, -5, -6, -8};  // γ_01 = 4, γ_10 = 8: a = (4·2 + 8·2)/(2·4) = 3
  const CoveringBound bound = line.bound();
  // Secants are at most (−4 − (−5))/0.5 = 2. ε_0 = 4/(2·2) = 1, ε_1 = 8/(2·2) = 2; printed 3·√(2/2)/2 = 1.5
  // both.
  EXPECT_NEAR(bound.lipschitz_secant, 2, 1e-12);
  EXPECT_NEAR(bound.radius, 1.5, 1e-12);
  EXPECT_NEAR(bound.log10_error, std::log10((3.0 + 2) / 16), 1e-12)
      << "nets of 3 points (radius 1), 2 (radius 2)";
  EXPECT_NEAR(bound.log10_error_collapsed, std::log10((2.0 + 2) / 16), 1e-12) << "nets of 2 points for 1.5";
}

TEST(CoveringBound, OfClassifiersThatCoincideSaysNothing) {
  Line line(2);
  line.classifier.setConstant(1);  // γ = 0 and M_0 = M_1: 0/0
  EXPECT_TRUE(std::isnan(line.bound().radius));
}

TEST(CoveringBound, IsInfiniteFromAboveWithoutALipschitzConstant) {
  Line line(2);
  line.norms.constant = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::isinf(line.bound().log10_error_norms));
  EXPECT_TRUE(std::isfinite(line.bound().log10_error));
}

}  // namespace
}  // namespace gnc
