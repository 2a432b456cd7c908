#pragma once
/// What a linear classifier and the nearest class mean decide about each sample, counted.

#include <Eigen/Core>

#include <cstdint>
#include <vector>

#include "engine/metrics/feature_moments.h"

namespace gnc {

/// Logits are weightsᵀh + bias.
struct LinearClassifier {
  Eigen::MatrixXd weights;  ///< [d,C]: column c is w_c
  Eigen::VectorXd bias;     ///< [C], or empty for none
};

/// What `count_decisions` is asked for.
struct DecisionNeeds {
  bool agreement = false;   ///< nearest mean against the classifier
  bool nearest = false;     ///< nearest mean against the label
  bool normalised = false;  ///< the same on normalised features, and `concentration`
};

/// Counts by class; nearest means are those of the same features, the first class wins a tie, and whatever
/// was not asked for is 0.
struct Decisions {
  std::vector<std::int64_t> agreements;           ///< [C]: argmax_c <w_c,h> + b_c = argmin_c ‖h − μ_c‖
  std::vector<std::int64_t> agreements_unbiased;  ///< [C]: the same without b
  std::vector<std::int64_t> nearest_hits;         ///< [C]: argmin_c ‖h − μ_c‖ = label
  std::vector<std::int64_t> normalised_hits;      ///< [C]: the same for h/‖h‖ and the means of those
  /// [C]: mean over the class of ‖h/‖h‖ − w_c/‖w_c‖‖.
  Eigen::VectorXd concentration;
};

/// One reading of the features, in order. `needs.normalised` takes `moments.normalised`. N·d·C multiply-adds
/// for each of agreement's logits, nearest means and normalised nearest means.
template <class Real>
Decisions count_decisions(const BasicFeatureView<Real>& view, const FeatureMoments& moments,
                          const LinearClassifier& classifier, const DecisionNeeds& needs);

}  // namespace gnc
