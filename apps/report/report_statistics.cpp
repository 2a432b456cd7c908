#include "apps/report/report_statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "apps/report/shared_runs.h"
#include "engine/bootstrap.h"
#include "engine/comparison.h"
#include "engine/error.h"
#include "engine/statistics.h"

namespace gnc {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr std::array kMetrics = {"train_ce", "train_accuracy", "test_ce", "test_accuracy"};
constexpr std::array kComparedMetrics = {"test_ce", "test_accuracy"};

constexpr std::size_t kFewestToRank = 4;

/// What table 1 of the paper gives (ten permutations, CIFAR-10, VGG11), computed from its ten rows.
struct PublishedRow {
  const char* metric;
  double mean, population_deviation, sample_deviation, range;
};
constexpr std::array kPublished = {PublishedRow{"test_ce", 0.618, 0.0453, 0.0477, 0.140},
                                   PublishedRow{"test_accuracy", 0.87943, 0.00317, 0.00334, 0.0107}};
constexpr const char* kPublishedName = "paper: VGG11, CIFAR-10 (table 1)";

std::vector<double> finished_values(const RunGroup& group, const std::string& key) {
  std::vector<double> values;
  for (const RunRecord& run : group.runs)
    if (run.is_finished() && std::isfinite(run.number(key))) values.push_back(run.number(key));
  return values;
}

/// The same of the runs that are compared with a control.
std::vector<double> own_values(const RunGroup& group, const RunGroup& control, const std::string& key) {
  std::vector<double> values;
  for (const RunRecord* run : own_runs(group, control))
    if (std::isfinite(run->number(key))) values.push_back(run->number(key));
  return values;
}

std::vector<std::string> numbers(std::initializer_list<double> values) {
  std::vector<std::string> texts;
  for (const double value : values) texts.push_back(csv_number(value));
  return texts;
}

/// With a remark behind the numbers.
void add_row(CsvTable& table, std::vector<std::string> texts, std::initializer_list<double> values,
             std::string note) {
  for (std::string& number : numbers(values)) texts.push_back(std::move(number));
  texts.push_back(std::move(note));
  table.add_row(std::move(texts));
}

double mean_of(std::span<const double> values) { return summarize(values).mean; }
double deviation_of(std::span<const double> values) { return summarize(values).sample_deviation; }

/// Names of all finite numbers in the results of finished runs, in the order of the first.
std::vector<std::string> quantities(const RunGroup& group) {
  static const std::set<std::string> kNoQuantities = {
      "epochs",   "parameters",           "seconds",           "images_per_second", "metrics_share",
      "ensemble", "planned_memory_bytes", "peak_memory_bytes", "test_accuracy"};
  std::vector<std::string> names;
  for (const RunRecord& run : group.runs) {
    if (!run.is_finished()) continue;
    for (const auto* json : {&run.result, &run.derived})
      if (json->is_object())
        for (const auto& [key, value] : json->items())
          if (value.is_number() && !kNoQuantities.contains(key) &&
              std::ranges::find(names, key) == names.end())
            names.push_back(key);
    break;
  }
  return names;
}

}  // namespace

std::string no_interval(const Interval& interval, std::size_t runs, std::size_t fewest,
                        std::string_view otherwise) {
  if (!std::isnan(interval.lower)) return {};
  if (runs < fewest)
    return fmt::format("no interval: {} run{}, and it takes {}", runs, runs == 1 ? "" : "s", fewest);
  return fmt::format("no interval: {}", otherwise);
}

CsvTable statistics_table(std::span<const RunGroup> groups) {
  CsvTable table(std::vector<std::string>{"group", "vary", "metric", "runs", "mean", "mean_lower",
                                          "mean_upper", "population_deviation", "sample_deviation",
                                          "sample_deviation_lower", "sample_deviation_upper", "minimum",
                                          "maximum", "range", "note"});
  for (const RunGroup& group : groups) {
    for (const std::string metric : kMetrics) {
      const std::vector<double> values = finished_values(group, metric);
      if (values.empty()) continue;
      const SampleStatistics statistics = summarize(values);
      const Interval mean = bootstrap_interval(values, mean_of);
      const Interval deviation = bootstrap_interval(values, deviation_of);
      add_row(table, {group.name, group.vary, metric, std::to_string(values.size())},
              {statistics.mean, mean.lower, mean.upper, statistics.population_deviation,
               statistics.sample_deviation, deviation.lower, deviation.upper, statistics.minimum,
               statistics.maximum, statistics.range()},
              no_interval(mean, values.size(), kFewestToBootstrap, "all runs are equal"));
    }
  }
  for (const PublishedRow& row : kPublished)
    add_row(table, {kPublishedName, "permutation", row.metric, "10"},
            {row.mean, kNaN, kNaN, row.population_deviation, row.sample_deviation, kNaN, kNaN, kNaN, kNaN,
             row.range},
            "no interval: of the paper's rows only these numbers are known");
  return table;
}

CsvTable comparison_table(std::span<const RunGroup> groups) {
  CsvTable table(std::vector<std::string>{
      "metric", "group", "control", "runs", "control_runs", "deviation_ratio", "deviation_ratio_lower",
      "deviation_ratio_upper", "brown_forsythe", "p_value", "permutation_p_value", "mean_difference",
      "mean_difference_lower", "mean_difference_upper", "mean_p_value", "cliffs_delta", "note"});
  for (const std::string metric : kComparedMetrics) {
    for (const RunGroup& group : groups) {
      if (group.is_control()) continue;
      for (const RunGroup& control : groups) {
        if (!control.is_control()) continue;
        const std::vector<double> values = own_values(group, control, metric),
                                  others = finished_values(control, metric);
        if (std::min(values.size(), others.size()) < kFewestToCompare) continue;
        const SpreadComparison spread = compare_spreads(values, others);
        const LocationComparison location = compare_locations(values, others);
        add_row(
            table,
            {metric, group.name, control.name, std::to_string(values.size()), std::to_string(others.size())},
            {spread.deviation_ratio, spread.deviation_ratio_interval.lower,
             spread.deviation_ratio_interval.upper, spread.statistic, spread.p_value,
             spread.permutation_p_value, location.difference, location.difference_interval.lower,
             location.difference_interval.upper, location.p_value, location.cliffs_delta},
            no_interval(location.difference_interval, others.size(), kFewestToCompare,
                        "all runs of the control are equal"));
      }
    }
  }
  return table;
}

CsvTable rank_table(std::span<const RunGroup> groups) {
  CsvTable table(std::vector<std::string>{"group", "outcome", "quantity", "runs", "rho", "rho_lower",
                                          "rho_upper", "p_value", "note"});
  for (const RunGroup& group : groups) {
    const std::vector<std::string> names = quantities(group);
    for (const std::string outcome : kComparedMetrics) {
      for (const std::string& quantity : names) {
        if (quantity == outcome) continue;
        std::vector<double> values, outcomes;
        for (const RunRecord& run : group.runs) {
          if (!run.is_finished() || !std::isfinite(run.number(quantity))) continue;
          values.push_back(run.number(quantity));
          outcomes.push_back(run.number(outcome));
        }
        if (values.size() < kFewestToRank) continue;
        const RankCorrelation correlation = rank_correlation(values, outcomes);
        if (std::isnan(correlation.rho)) continue;
        add_row(
            table, {group.name, outcome, quantity, std::to_string(values.size())},
            {correlation.rho, correlation.interval.lower, correlation.interval.upper, correlation.p_value},
            no_interval(correlation.interval, values.size(), kFewestForRankInterval,
                        "the orders are the same or opposite"));
      }
    }
  }
  return table;
}

}  // namespace gnc
