#include "apps/epoch_metrics.h"

#include <algorithm>
#include <limits>

#include "apps/options.h"
#include "engine/metrics/margin_bound.h"

namespace gnc {
namespace {

constexpr const char* kAll = "all";

bool has_every_class(const std::vector<std::int32_t>& labels, Eigen::Index classes) {
  std::vector<bool> seen(static_cast<std::size_t>(classes), false);
  for (const std::int32_t label : labels) seen[static_cast<std::size_t>(label)] = true;
  return std::ranges::find(seen, false) == seen.end();
}

}  // namespace

void add_metrics_option(CLI::App& app, std::vector<std::string>& sources) {
  std::vector<std::string> known = convention_names();
  known.emplace_back(kAll);
  restrict_to(app.add_option("--metrics", sources,
                             "collapse metrics as these sources define them, beside the paper's own")
                  ->delimiter(','),
              std::move(known));
}

EpochMetrics::EpochMetrics(const std::vector<std::string>& sources) {
  const bool takes_all = std::ranges::find(sources, kAll) != sources.end();
  for (const std::string& source : takes_all ? convention_names() : sources)
    if (std::ranges::find(sources_, source) == sources_.end()) sources_.push_back(source);
}

std::vector<std::string> EpochMetrics::names(Split split) const {
  std::vector<std::string> names = collapse_column_names();
  if (split == Split::kTrain)
    for (std::string& name : margin_column_names()) names.push_back(std::move(name));
  for (const std::string& source : sources_)
    for (std::string& name : convention_columns(source)) names.push_back(std::move(name));
  return names;
}

SplitMetrics EpochMetrics::measure(Split split, const std::vector<float>& features,
                                   const std::vector<std::int32_t>& labels, const Eigen::MatrixXd& classifier,
                                   const Eigen::VectorXd& bias) const {
  SplitMetrics result;
  if (!has_every_class(labels, classifier.cols())) {
    for (const std::string& name : names(split))
      result.columns.emplace_back(name, std::numeric_limits<double>::quiet_NaN());
    return result;
  }
  const FeatureView view{.features = features,
                         .labels = labels,
                         .feature_dim = static_cast<int>(classifier.rows()),
                         .num_classes = static_cast<int>(classifier.cols())};
  result.collapse = measure_collapse(view, classifier);
  result.columns = columns(*result.collapse);
  if (split == Split::kTrain)
    for (auto& column : margin_columns(*result.collapse, classifier))
      result.columns.push_back(std::move(column));
  for (auto& column :
       measure_conventions(sources_, view, LinearClassifier{.weights = classifier, .bias = bias}))
    result.columns.push_back(std::move(column));
  return result;
}

}  // namespace gnc
