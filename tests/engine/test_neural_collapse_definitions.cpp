#include <gtest/gtest.h>

#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/metrics/neural_collapse.h"
#include "tests/engine/feature_cloud.h"

namespace gnc {
namespace {

using tests::Cloud;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

/// The definitions word for word on dense matrices: the whole data in double, S_W and S_B formed, the
/// pseudo-inverse by a complete orthogonal decomposition, nearest means by distances.
struct Oracle {
  Oracle(const Cloud& cloud, const Eigen::MatrixXd& classifier)
      : d(cloud.dim), classes(cloud.classes), samples(static_cast<int>(cloud.labels.size())), m(classifier) {
    z = Eigen::Map<const Eigen::MatrixXf>(cloud.features.data(), d, samples).cast<double>();
    mean = Eigen::MatrixXd::Zero(d, classes);
    for (int y = 0; y < classes; ++y) {
      int count = 0;
      for (int n = 0; n < samples; ++n) {
        if (cloud.labels[static_cast<std::size_t>(n)] != y) continue;
        mean.col(y) += z.col(n);
        ++count;
      }
      mean.col(y) /= count;
    }
    centre = mean.rowwise().sum() / classes;
    within = Eigen::MatrixXd::Zero(d, d);
    between = Eigen::MatrixXd::Zero(d, d);
    for (int y = 0; y < classes; ++y) between += outer(mean.col(y) - centre) / classes;
    for (int n = 0; n < samples; ++n) add_sample(n, cloud.labels[static_cast<std::size_t>(n)]);
    add_pairs();
  }

  static Eigen::MatrixXd outer(const Eigen::VectorXd& v) { return v * v.transpose(); }

  void add_sample(int n, int y) {
    const Eigen::VectorXd v = z.col(n);
    within += outer(v - mean.col(y)) / samples;
    report.nc1 += (v - mean.col(y)).norm() / samples / mean.colwise().norm().mean();
    report.nc2 += (v.normalized() - m.col(y).normalized()).norm() / samples;
    report.dual_distance += (v - m.col(y)).norm() / samples;
    int by_logit = 0;
    int by_distance = 0;
    for (int j = 1; j < classes; ++j) {
      if (v.dot(m.col(j)) > v.dot(m.col(by_logit))) by_logit = j;
      if ((v - mean.col(j)).norm() < (v - mean.col(by_distance)).norm()) by_distance = j;
    }
    if (by_logit != by_distance) report.nc4 += 1.0 / samples;
    if (report.margins.size() == 0) {
      report.margins = Eigen::MatrixXd::Constant(classes, classes, std::numeric_limits<double>::infinity());
    }
    for (int j = 0; j < classes; ++j) {
      report.margins(y, j) = std::min(report.margins(y, j), (m.col(y) - m.col(j)).dot(v));
    }
  }

  void add_pairs() {
    report.max_cosine_means = report.max_cosine_classifier = -2;
    report.smallest_margin = std::numeric_limits<double>::infinity();
    Eigen::VectorXd norms(classes);
    for (int i = 0; i < classes; ++i) {
      norms[i] = (mean.col(i) - centre).norm();
      for (int j = 0; j < classes; ++j) {
        if (i == j) continue;
        const auto cosine = [&](const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
          return a.dot(b) / std::sqrt(a.dot(a) * b.dot(b));
        };
        report.max_cosine_means = std::max(report.max_cosine_means, cosine(mean.col(i), mean.col(j)));
        report.max_cosine_classifier = std::max(report.max_cosine_classifier, cosine(m.col(i), m.col(j)));
        report.equiangular +=
            std::abs(cosine(mean.col(i) - centre, mean.col(j) - centre) + 1.0 / (classes - 1)) /
            (classes * (classes - 1));
        report.smallest_margin = std::min(report.smallest_margin, report.margins(i, j));
        report.mean_margin += report.margins(i, j) / (classes * (classes - 1));
      }
    }
    report.nc3 = report.max_cosine_means - report.max_cosine_classifier;
    // Random means span the whole space they can; the threshold only has to part their eigenvalues from
    // rounding.
    Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd> decomposition;
    decomposition.setThreshold(1e-9);
    decomposition.compute(between);
    report.between_rank = static_cast<int>(decomposition.rank());
    report.within_between_pinv = (within * decomposition.pseudoInverse()).trace() / classes;
    report.within_between_quotient = within.trace() / between.trace();
    const double average = norms.sum() / classes;
    for (const double norm : norms) report.equinorm += (norm - average) * (norm - average) / classes;
    report.equinorm = std::sqrt(report.equinorm) / average;
    const Eigen::MatrixXd centred = mean.colwise() - centre;
    report.self_duality =
        (m / std::sqrt(m.cwiseAbs2().sum()) - centred / std::sqrt(centred.cwiseAbs2().sum()))
            .cwiseAbs2()
            .sum();
    report.mean_offset = centre.norm() / mean.colwise().norm().mean();
    condition = decomposition.pseudoInverse().norm() * between.norm();
  }

  int d, classes, samples;
  Eigen::MatrixXd m, z, mean, within, between;
  Eigen::VectorXd centre;
  CollapseReport report;
  double condition = 0;  // of S_B on its range
};

struct CloudCase {
  int samples, dim, classes;
  double spread;
};

class NeuralCollapseOfClouds : public testing::TestWithParam<CloudCase> {};

TEST_P(NeuralCollapseOfClouds, Matches_Dense_Matrices) {
  const CloudCase& shape = GetParam();
  const Cloud cloud = tests::gaussian_cloud(shape.samples, shape.dim, shape.classes, shape.spread, 7);
  const Eigen::MatrixXd classifier = tests::gaussian_matrix(shape.dim, shape.classes, 8);
  const Oracle oracle(cloud, classifier);
  // The pseudo-inverse magnifies the rounding of S_B (d·ε per entry, d² entries) by its condition number; the
  // rest are sums of at most `samples` terms of order 1.
  const double tolerance = kEpsilon * (10.0 * shape.dim * oracle.condition + 10.0 * shape.samples);
  ASSERT_LT(tolerance, 1e-7) << "the case is too ill-conditioned to test anything";
  tests::expect_same(measure_collapse(cloud.view(), classifier), oracle.report, tolerance);
}

INSTANTIATE_TEST_SUITE_P(Shapes, NeuralCollapseOfClouds,
                         testing::Values(CloudCase{2, 1, 2, 0.1},    // smallest
                                         CloudCase{5, 2, 4, 0.3},    // the paper's figure
                                         CloudCase{63, 6, 10, 0.5},  // C > d; one short of a chunk
                                         CloudCase{64, 6, 10, 2.0},  // classes overlap
                                         CloudCase{65, 3, 7,
                                                   1e-3},  // one more than a chunk; nearly collapsed
                                         CloudCase{1031, 33, 7, 0.5},     // C < d: S_B is singular
                                         CloudCase{517, 17, 100, 1.0},    // many classes, few samples
                                         CloudCase{300, 70, 71, 0.25}));  // a simplex would just fit

}  // namespace
}  // namespace gnc
