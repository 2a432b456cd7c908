#pragma once
/// Runs for reports, made in memory instead of trained.

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "apps/report/run_records.h"

namespace gnc::tests {

/// A finished run with these results. Its three epochs end there, learn the training set in the second if
/// `is_learned`, and its frame is the simplex of three vectors.
inline RunRecord made_run(int index, double test_accuracy, double test_ce, bool is_learned = true) {
  RunRecord run;
  run.name = fmt::format("run-{:02}", index);
  run.transformation = "identity";
  run.result = {{"train_ce", 0.01},         {"train_accuracy", 1.0},
                {"test_ce", test_ce},       {"test_accuracy", test_accuracy},
                {"nc1", 0.1 * (1 + index)}, {"settings", nlohmann::ordered_json::object()}};
  run.metrics = CsvTable(std::vector<std::string>{"epoch", "train_ce", "train_accuracy", "test_ce",
                                                  "test_accuracy", "nc1", "smallest_margin"});
  for (int epoch = 1; epoch <= 3; ++epoch)
    run.metrics.add_row(
        {std::to_string(epoch), csv_number(0.1 / epoch), csv_number(is_learned && epoch >= 2 ? 1 : 0.75),
         csv_number(test_ce + 0.1 * (3 - epoch)), csv_number(test_accuracy - 0.01 * (3 - epoch)),
         csv_number(0.5 / epoch), csv_number(0.3 * epoch)});
  run.frame.resize(2, 3);
  run.frame << 1, -0.5, -0.5, 0, std::sqrt(0.75), -std::sqrt(0.75);
  run.class_means = 3 * run.frame;
  run.margins = Eigen::MatrixXd::Constant(3, 3, 0.5);
  run.confusion = Eigen::MatrixXd::Constant(3, 3, 2);
  run.confusion(0, 1) = 7;
  return run;
}

/// A sweep of one run for each accuracy; cross-entropies fall as accuracies rise.
inline RunGroup made_group(const std::string& name, const std::string& vary,
                           const std::vector<double>& accuracies) {
  RunGroup group;
  group.name = name;
  group.vary = vary;
  group.settings = {{"vary", vary},        {"model", "mlp"},        {"classifier", name + "/frame.npy"},
                    {"epochs", "3"},       {"layers", "all"},       {"bounds", "true"},
                    {"robustness", "100"}, {"out", "runs/" + name}, {"threads", "1"}};
  group.planned = static_cast<int>(accuracies.size());
  for (std::size_t i = 0; i < accuracies.size(); ++i)
    group.runs.push_back(made_run(static_cast<int>(i), accuracies[i], 2 - accuracies[i]));
  return group;
}

inline void set_setting(RunGroup& group, const std::string& name, const std::string& value) {
  for (auto& [key, old] : group.settings)
    if (key == name) old = value;
}

/// Two epochs of layers.csv for every run; the quotient falls with depth.
inline void add_layers(RunGroup& group, const std::vector<std::string>& layers) {
  for (RunRecord& run : group.runs) {
    run.layers = CsvTable(std::vector<std::string>{"epoch", "layer", "width", "within_between_quotient",
                                                   "nearest_mean_accuracy"});
    for (int epoch = 1; epoch <= 2; ++epoch)
      for (std::size_t i = 0; i < layers.size(); ++i)
        run.layers.add_row({std::to_string(epoch), layers[i], "8",
                            csv_number(1.0 / (epoch * (1.0 + static_cast<double>(i)))), "0.5"});
  }
}

}  // namespace gnc::tests
