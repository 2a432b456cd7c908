#pragma once
/// Labelled features made for tests of the collapse metrics.

#include <gtest/gtest.h>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "engine/metrics/neural_collapse.h"
#include "engine/random.h"

namespace gnc::tests {

/// Features that own their numbers.
struct Cloud {
  int dim = 0;
  int classes = 0;
  std::vector<float> features;
  std::vector<std::int32_t> labels;

  void add(int label, const std::vector<float>& z) {
    labels.push_back(label);
    features.insert(features.end(), z.begin(), z.end());
  }
  FeatureView view() const { return {features, labels, dim, classes}; }
};

/// Gaussian classes around Gaussian means; every class has at least one sample, the counts differ.
inline Cloud gaussian_cloud(int samples, int dim, int classes, double spread, std::uint64_t seed) {
  const RandomStream random(seed, "test.cloud");
  Cloud cloud{.dim = dim, .classes = classes, .features = {}, .labels = {}};
  std::uint64_t position = 0;
  std::vector<double> means(static_cast<std::size_t>(dim * classes));
  for (double& mean : means) mean = random.normal(position++);
  for (int n = 0; n < samples; ++n) {
    // The first C samples visit every class, the rest favour the low ones.
    const int label = n < classes ? n : (n * n) % classes;
    std::vector<float> z;
    for (int k = 0; k < dim; ++k) {
      z.push_back(static_cast<float>(means[static_cast<std::size_t>(label * dim + k)] +
                                     spread * random.normal(position++)));
    }
    cloud.add(label, z);
  }
  return cloud;
}

inline Eigen::MatrixXd gaussian_matrix(int rows, int columns, std::uint64_t seed) {
  const RandomStream random(seed, "test.matrix");
  Eigen::MatrixXd matrix(rows, columns);
  std::uint64_t position = 0;
  for (double& entry : matrix.reshaped()) entry = random.normal(position++);
  return matrix;
}

/// Fails on NaN: NEAR is false for it.
inline void expect_same(const CollapseReport& actual, const CollapseReport& expected, double tolerance) {
  const auto a = columns(actual);
  const auto b = columns(expected);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i].second, b[i].second, tolerance * std::max(1.0, std::abs(b[i].second))) << a[i].first;
  }
  ASSERT_EQ(actual.margins.rows(), expected.margins.rows());
  EXPECT_LE((actual.margins - expected.margins).cwiseAbs().maxCoeff(), tolerance * 100);
}

}  // namespace gnc::tests
