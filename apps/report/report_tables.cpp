#include "apps/report/report_tables.h"

#include <algorithm>

#include "apps/report/comparison_notes.h"
#include "apps/report/report_statistics.h"
#include "apps/report/terminal_phase.h"
#include "engine/error.h"

namespace gnc {
namespace {

/// Calls visit(group, run) for every run that was begun.
template <class Visit>
void for_each_run(std::span<const RunGroup> groups, Visit&& visit) {
  for (const RunGroup& group : groups)
    for (const RunRecord& run : group.runs) visit(group, run);
}

CsvTable runs_table(std::span<const RunGroup> groups) {
  CsvTable table(std::vector<std::string>{"group", "vary", "run", "transformation", "seed", "finished",
                                          "epochs", "train_ce", "train_accuracy", "test_ce",
                                          "test_accuracy"});
  for_each_run(groups, [&](const RunGroup& group, const RunRecord& run) {
    std::vector<std::string> row = {group.name,
                                    group.vary,
                                    run.name,
                                    run.transformation,
                                    run.is_finished() ? std::to_string(run.seed) : "",
                                    run.is_finished() ? "yes" : "no",
                                    std::to_string(run.metrics.size())};
    const int last = run.metrics.size() - 1;
    for (const std::string column : {"train_ce", "train_accuracy", "test_ce", "test_accuracy"})
      row.push_back(run.is_finished() ? csv_number(run.number(column))
                    : last >= 0       ? run.metrics.text(last, column)
                                      : "nan");
    table.add_row(std::move(row));
  });
  return table;
}

CsvTable final_table(std::span<const RunGroup> groups) {
  std::vector<std::string> header = {"group", "run"};
  const std::size_t fixed = header.size();
  for_each_run(groups, [&](const RunGroup&, const RunRecord& run) {
    for (const auto* json : {&run.result, &run.derived})
      if (json->is_object())
        for (const auto& [key, value] : json->items())
          if (value.is_number() && std::ranges::find(header, key) == header.end()) header.push_back(key);
  });
  CsvTable table(header);
  for_each_run(groups, [&](const RunGroup& group, const RunRecord& run) {
    if (!run.is_finished()) return;
    std::vector<std::string> row = {group.name, run.name};
    for (std::size_t k = fixed; k < header.size(); ++k) row.push_back(csv_number(run.number(header[k])));
    table.add_row(std::move(row));
  });
  return table;
}

/// The tables of the runs below each other; `source` gives a run's, and a column that only some of them have
/// is "nan" for the others.
template <class Source>
CsvTable stacked(std::span<const RunGroup> groups, Source&& source) {
  std::vector<std::string> header = {"group", "run"};
  const std::size_t fixed = header.size();
  for_each_run(groups, [&](const RunGroup&, const RunRecord& run) {
    for (const std::string& column : source(run).header())
      if (std::ranges::find(header, column) == header.end()) header.push_back(column);
  });
  CsvTable table(header);
  for_each_run(groups, [&](const RunGroup& group, const RunRecord& run) {
    const CsvTable& epochs = source(run);
    for (int row = 0; row < epochs.size(); ++row) {
      std::vector<std::string> fields = {group.name, run.name};
      for (std::size_t k = fixed; k < header.size(); ++k) {
        const bool has = std::ranges::find(epochs.header(), header[k]) != epochs.header().end();
        fields.push_back(has ? epochs.text(row, header[k]) : "nan");
      }
      table.add_row(std::move(fields));
    }
  });
  return table;
}

/// A row for each entry (i, j) of square matrices of one size; `values` are their columns.
void add_entries(CsvTable& table, const RunGroup& group, const RunRecord& run,
                 std::initializer_list<const Eigen::MatrixXd*> values) {
  const Eigen::Index classes = (*values.begin())->cols();
  for (Eigen::Index i = 0; i < classes; ++i)
    for (Eigen::Index j = 0; j < classes; ++j) {
      std::vector<std::string> row = {group.name, run.name, std::to_string(i), std::to_string(j)};
      for (const Eigen::MatrixXd* matrix : values) row.push_back(csv_number((*matrix)(i, j)));
      table.add_row(std::move(row));
    }
}

Eigen::MatrixXd cosines(const Eigen::MatrixXd& columns) {
  const Eigen::MatrixXd unit = columns.colwise().normalized();
  return unit.transpose() * unit;
}

CsvTable gram_table(std::span<const RunGroup> groups) {
  CsvTable table(std::vector<std::string>{"group", "run", "i", "j", "frame", "class_means"});
  for_each_run(groups, [&](const RunGroup& group, const RunRecord& run) {
    if (run.frame.size() == 0) return;
    const Eigen::MatrixXd frame = cosines(run.frame);
    const Eigen::MatrixXd means = run.class_means.size() == 0
                                      ? Eigen::MatrixXd::Constant(frame.rows(), frame.cols(), NAN)
                                      : cosines(run.class_means);
    add_entries(table, group, run, {&frame, &means});
  });
  return table;
}

CsvTable matrix_table(std::span<const RunGroup> groups, std::vector<std::string> header,
                      Eigen::MatrixXd RunRecord::*matrix) {
  CsvTable table(std::move(header));
  for_each_run(groups, [&](const RunGroup& group, const RunRecord& run) {
    if ((run.*matrix).size() > 0) add_entries(table, group, run, {&(run.*matrix)});
  });
  return table;
}

}  // namespace

std::vector<ReportTable> report_tables(std::span<const RunGroup> groups) {
  return {
      {"runs", runs_table(groups)},
      {"settings", settings_table(groups)},
      {"statistics", statistics_table(groups)},
      {"comparisons", comparison_table(groups)},
      {"ranks", rank_table(groups)},
      {"final", final_table(groups)},
      {"curves", stacked(groups, [](const RunRecord& run) -> const CsvTable& { return run.metrics; })},
      {"layers", stacked(groups, [](const RunRecord& run) -> const CsvTable& { return run.layers; })},
      {"terminal", terminal_table(groups)},
      {"terminal_changes", terminal_changes_table(groups)},
      {"gram", gram_table(groups)},
      {"margins", matrix_table(groups, {"group", "run", "i", "j", "margin"}, &RunRecord::margins)},
      {"confusions",
       matrix_table(groups, {"group", "run", "true", "predicted", "count"}, &RunRecord::confusion)},
      {"features", stacked(groups, [](const RunRecord& run) -> const CsvTable& { return run.features; })}};
}

}  // namespace gnc
