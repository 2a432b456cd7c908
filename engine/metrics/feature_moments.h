#pragma once
/// First and second moments of labelled features, and how well the nearest class mean does: what the
/// collapse metrics of other papers are made from.

#include <Eigen/Core>

#include "engine/metrics/features.h"

namespace gnc {

/// Whether the features are taken as they are or divided by their norms first (a zero feature stays zero).
enum class FeatureScale : std::uint8_t { kAsTheyAre, kUnitNorm };

struct FeatureMoments {
  ClassMeans classes;           ///< μ_c and how many samples each has
  Eigen::VectorXd sample_mean;  ///< [d], the mean over samples: μ_G of most repositories
  Eigen::MatrixXd within;       ///< [d,d], S_W = 1/N Σ_n (h_n − μ_{y_n})(h_n − μ_{y_n})ᵀ
  Eigen::VectorXd spread;       ///< [C], v_c = mean over class c of ‖h − μ_c‖²
  double norm_mean = 0;         ///< of ‖h_n‖ before any scaling
  double norm_deviation = 0;    ///< 1/N
  /// Fraction of samples whose nearest class mean is their label's (first class at ties).
  double nearest_mean_accuracy = 0;
  /// Fraction whose nearest class mean is argmax_c <w_c, h> + b_c, and the same without the bias.
  double agreement = 0;
  double agreement_without_bias = 0;
};

/// In double, two readings in the order of the samples; equal inputs give equal bits on any number of
/// threads. `classifier` [d,C], column c = w_c; `bias` [C], or empty for none. Throws as class_means() does,
/// and ShapeError for a classifier or bias of another size. Cost N·d·(2C + d/2) multiply-adds.
template <class Real>
FeatureMoments measure_moments(const BasicFeatureView<Real>& view, const Eigen::MatrixXd& classifier,
                               const Eigen::VectorXd& bias, FeatureScale scale);

}  // namespace gnc
