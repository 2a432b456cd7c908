#pragma once
/// The collapse metrics of a run's features on one split: the paper's, and those of other sources that were
/// asked for.

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/metrics/conventions.h"
#include "engine/metrics/neural_collapse.h"
#include "engine/trainer.h"

namespace gnc {

/// --metrics SOURCE,…: whose metrics to write beside the paper's; "all" for every source.
void add_metrics_option(CLI::App& app, std::vector<std::string>& sources);

/// What one split's features give.
struct SplitMetrics {
  std::optional<CollapseReport> collapse;               ///< none where a class has no sample, and so no mean
  std::vector<std::pair<std::string, double>> columns;  ///< by name; NaN where there are none
};

/// Which metrics, by the names of their sources (engine/metrics/conventions.h).
class EpochMetrics {
 public:
  /// `sources` as --metrics gives them; one that is named twice counts once.
  explicit EpochMetrics(const std::vector<std::string>& sources);

  /// The names of the columns: the paper's (collapse_column_names()), of the training pictures the terms of
  /// its margin bound (margin_column_names()), then the others'.
  std::vector<std::string> names(Split split) const;
  /// `features` [N,d] of samples with `labels`; `classifier` [d,C], `bias` [C] or empty.
  SplitMetrics measure(Split split, const std::vector<float>& features,
                       const std::vector<std::int32_t>& labels, const Eigen::MatrixXd& classifier,
                       const Eigen::VectorXd& bias) const;

 private:
  std::vector<std::string> sources_;  // each once
};

}  // namespace gnc
