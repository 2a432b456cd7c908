#pragma once
/// First and second moments of labelled features, raw and L2-normalised: what the conventions of the field
/// are computed from.

#include <Eigen/Core>

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/metrics/features.h"

namespace gnc {

/// How much of the within-class covariance S_W is wanted; its cost is all that differs.
enum class WithinCovariance {
  kNone,
  /// On the span of the differences of class means, all that Tr(S_W S_B⁺) sees: N·d·(C−1) multiply-adds when
  /// C <= d.
  kBetweenClasses,
  kFull,  ///< N·d²/2 multiply-adds
};

/// Moments of N features about their class means. In double.
struct Moments {
  Eigen::MatrixXd means;             ///< [d,C]: μ_c
  std::vector<std::int64_t> counts;  ///< [C], each >= 1
  Eigen::VectorXd sample_mean;       ///< [d]: the mean over samples
  Eigen::VectorXd class_mean;        ///< [d]: the mean over the C class means; the same when counts are equal
  /// [d,C]: 1/n_c Σ_i (h_{c,i} − μ_c)² by component; a column's sum is v_c = 1/n_c Σ_i ‖h_{c,i} − μ_c‖².
  Eigen::MatrixXd variances;
  /// [d,r], orthonormal: its span holds every difference of class means. r = min(d, C−1), or d for kFull;
  /// empty for kNone.
  Eigen::MatrixXd basis;
  /// [r,r]: basisᵀ S_W basis, S_W = 1/N Σ (h − μ_y)(h − μ_y)ᵀ. Empty for kNone.
  Eigen::MatrixXd within;

  /// [C]: v_c, the mean squared deviation of each class.
  Eigen::VectorXd class_variances() const { return variances.colwise().sum(); }
};

/// What `feature_moments` is asked for.
struct MomentNeeds {
  WithinCovariance raw = WithinCovariance::kNone;
  bool normalised = false;
  WithinCovariance normalised_within = WithinCovariance::kNone;
};

struct FeatureMoments {
  Moments raw;
  /// Of h/max(‖h‖, 1e-12), as PyTorch's `normalize` has it: a feature that is 0 stays 0.
  std::optional<Moments> normalised;
  double mean_norm = 0;       ///< mean over samples of ‖h‖
  double norm_deviation = 0;  ///< its standard deviation (biased, 1/N)
};

/// The least norm that a feature is divided by.
inline constexpr double kLeastNorm = 1e-12;

/// Reads the features three times (five with `normalised`), always summing in the order of the samples: equal
/// inputs give equal bits on any number of threads. Deviations are taken from the finished means, never as
/// E‖h‖² − ‖E h‖², so that they keep their digits when the spread is tiny. Memory does not depend on N.
/// Throws what `class_means` does.
template <class Real>
FeatureMoments feature_moments(const BasicFeatureView<Real>& view, const MomentNeeds& needs);

}  // namespace gnc
