#pragma once
/// Last-layer features of a labelled set, and their class means: what every collapse metric starts from.

#include <Eigen/Core>

#include <cstdint>
#include <span>
#include <vector>

namespace gnc {

/// Features z_n and labels of N samples, owned by the caller; Real is float (networks) or double (the
/// unconstrained feature model).
template <class Real>
struct BasicFeatureView {
  std::span<const Real> features;        ///< [N,d], row-major: the d components of a sample lie together
  std::span<const std::int32_t> labels;  ///< [N], in [0,C)
  int feature_dim = 0;                   ///< d >= 1
  int num_classes = 0;                   ///< C >= 2

  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
  std::span<const Real> sample(std::int64_t n) const {
    return features.subspan(static_cast<std::size_t>(n * feature_dim), static_cast<std::size_t>(feature_dim));
  }
  int label(std::int64_t n) const { return labels[static_cast<std::size_t>(n)]; }
  /// Throws ShapeError when the extents do not fit together, Error naming the sample when a label is outside
  /// [0,C).
  void check() const;
};

using FeatureView = BasicFeatureView<float>;

/// Class means in double, and how many samples each is the mean of.
struct ClassMeans {
  Eigen::MatrixXd means;             ///< [d,C], column y is z̄_y
  std::vector<std::int64_t> counts;  ///< [C], each >= 1
  /// μ_G, the mean of the *class means* [d] (Papyan, Han, Donoho 2020). Unlike the mean over samples it does
  /// not depend on how many samples a class has, and the centred means sum to zero, so their rank is at most
  /// C−1, whatever the counts.
  Eigen::VectorXd global_mean() const { return means.rowwise().mean(); }
};

/// One pass over the features, in the order of the samples. Throws what `check` throws, and Error naming the
/// sample, its class and the component for a feature that is not finite, and naming the class when a class
/// has no sample.
template <class Real>
ClassMeans class_means(const BasicFeatureView<Real>& view);

}  // namespace gnc
