#include "apps/report/terminal_phase.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "apps/report/report_statistics.h"
#include "engine/probability.h"
#include "engine/statistics.h"

namespace gnc {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// The first and the last finite value of a column from a row on, and whether they are two.
struct Ends {
  double start = kNaN;
  double end = kNaN;
  bool are_two = false;
};

Ends ends_of(const CsvTable& epochs, const char* column, int first_row) {
  Ends ends;
  if (!has_column(epochs, column)) return ends;
  for (int row = first_row; row < epochs.size(); ++row) {
    const double value = epochs.number(row, column);
    if (!std::isfinite(value)) continue;
    ends.are_two = !std::isnan(ends.start);
    (ends.are_two ? ends.end : ends.start) = value;
  }
  return ends;
}

double mean_of(const std::vector<double>& values) { return summarize(values).mean; }

constexpr std::size_t kFewestForInterval = 2;

/// 95 % of the mean; none where the values are the same but for `rounding`.
Interval mean_interval(const std::vector<double>& values, double rounding) {
  if (values.size() < kFewestForInterval) return {kNaN, kNaN};
  const SampleStatistics statistics = summarize(values);
  if (statistics.range() <= rounding) return {kNaN, kNaN};
  const auto count = static_cast<double>(values.size());
  const double half =
      student_t_two_sided_quantile(0.05, count - 1) * statistics.sample_deviation / std::sqrt(count);
  return {statistics.mean - half, statistics.mean + half};
}

}  // namespace

int terminal_row(const CsvTable& epochs) {
  for (int row = 0; row < epochs.size(); ++row)
    if (epochs.number(row, "train_accuracy") == 1) return row;
  return -1;
}

bool has_column(const CsvTable& table, std::string_view column) {
  return std::ranges::find(table.header(), column) != table.header().end();
}

CsvTable terminal_table(std::span<const RunGroup> groups) {
  CsvTable table(std::vector<std::string>{"group", "run", "begins", "epochs"});
  for (const RunGroup& group : groups)
    for (const RunRecord& run : group.runs) {
      if (run.metrics.size() == 0) continue;
      const int row = terminal_row(run.metrics);
      table.add_row({group.name, run.name, row < 0 ? csv_number(kNaN) : run.metrics.text(row, "epoch"),
                     run.metrics.text(run.metrics.size() - 1, "epoch")});
    }
  return table;
}

CsvTable terminal_changes_table(std::span<const RunGroup> groups) {
  CsvTable table(std::vector<std::string>{"group", "quantity", "runs", "start", "end", "change",
                                          "change_lower", "change_upper", "rose", "note"});
  for (const RunGroup& group : groups)
    for (const char* quantity : kTerminalQuantities) {
      std::vector<double> starts, ends, changes;
      double largest = 0;
      for (const RunRecord& run : group.runs) {
        const int row = terminal_row(run.metrics);
        if (row < 0) continue;
        const Ends found = ends_of(run.metrics, quantity, row);
        if (!found.are_two) continue;
        starts.push_back(found.start);
        ends.push_back(found.end);
        changes.push_back(found.end - found.start);
        largest = std::max({largest, std::abs(found.start), std::abs(found.end)});
      }
      if (changes.empty()) continue;
      // Both ends of a change are rounded by ε/2 of the largest, the change by no more than ε: two changes
      // that would be equal differ by up to 4ε of it.
      const Interval interval = mean_interval(changes, 4 * std::numeric_limits<double>::epsilon() * largest);
      table.add_row(
          {group.name, quantity, std::to_string(changes.size()), csv_number(mean_of(starts)),
           csv_number(mean_of(ends)), csv_number(mean_of(changes)), csv_number(interval.lower),
           csv_number(interval.upper),
           std::to_string(std::ranges::count_if(changes, [](double change) { return change > 0; })),
           no_interval(interval, changes.size(), kFewestForInterval, "all runs change by the same")});
    }
  return table;
}

}  // namespace gnc
