#pragma once
/// The table behind `conventions.h`: what each source needs, and its columns.

#include <span>
#include <string_view>

#include "engine/metrics/decisions.h"
#include "engine/metrics/feature_moments.h"

namespace gnc {

/// What the columns are computed from.
struct ConventionInputs {
  const FeatureMoments& moments;
  const Decisions& decisions;
  const Eigen::MatrixXd& classifier;  ///< [d,C]
  const Eigen::VectorXd& bias;        ///< [C], zeros when there is none

  int dimension() const { return static_cast<int>(classifier.rows()); }
  int classes() const { return static_cast<int>(classifier.cols()); }
};

struct ConventionColumn {
  std::string_view name;  ///< without the source
  double (*measure)(const ConventionInputs&);
};

struct Convention {
  std::string_view name;
  MomentNeeds moments;
  DecisionNeeds decisions;
  std::span<const ConventionColumn> columns;
};

/// All of them, in alphabetical order.
std::span<const Convention> convention_table();

}  // namespace gnc
