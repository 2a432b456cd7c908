#include "apps/report/report_figures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "apps/pictures/heat_map.h"
#include "apps/pictures/line_chart.h"
#include "apps/report/terminal_phase.h"
#include "engine/error.h"

namespace gnc {
namespace {

/// What a panel shows: a column of the results, how it is called, and by what it is multiplied.
struct Quantity {
  const char* column;
  const char* title;
  double factor;
};
constexpr std::array kResults = {Quantity{"test_accuracy", "test accuracy (%)", 100},
                                 Quantity{"test_ce", "test cross-entropy", 1}};
constexpr std::array kCurves = {Quantity{"train_accuracy", "training accuracy (%)", 100},
                                Quantity{"test_accuracy", "test accuracy (%)", 100},
                                Quantity{"test_ce", "test cross-entropy", 1},
                                Quantity{"nc1", "NC1", 1},
                                Quantity{"nc2", "NC2", 1},
                                Quantity{"nc3", "NC3", 1},
                                Quantity{"nc4", "NC4", 1}};

LineChart results_chart(std::span<const RunGroup> groups) {
  LineChart chart{.title = "Results of the runs", .x_label = "run", .panels = {}};
  for (const Quantity& quantity : kResults) {
    Panel panel{.title = quantity.title, .series = {}};
    for (const RunGroup& group : groups) {
      Series series{.name = group.name, .x = {}, .y = {}, .style = SeriesStyle::kMarkers};
      for (std::size_t i = 0; i < group.runs.size(); ++i) {
        if (!group.runs[i].is_finished()) continue;
        series.x.push_back(static_cast<double>(i));
        series.y.push_back(quantity.factor * group.runs[i].number(quantity.column));
      }
      if (!series.x.empty()) panel.series.push_back(std::move(series));
    }
    if (!panel.series.empty()) chart.panels.push_back(std::move(panel));
  }
  return chart;
}

/// Mean and range over the group's runs of every epoch that one of them has.
Series curve_of(const RunGroup& group, const Quantity& quantity) {
  Series series{.name = group.name, .x = {}, .y = {}};
  int epochs = 0;
  for (const RunRecord& run : group.runs) epochs = std::max(epochs, run.metrics.size());
  for (int epoch = 0; epoch < epochs; ++epoch) {
    double sum = 0, least = std::numeric_limits<double>::infinity(), most = -least;
    int count = 0;
    for (const RunRecord& run : group.runs) {
      if (epoch >= run.metrics.size()) continue;
      const double value = quantity.factor * run.metrics.number(epoch, quantity.column);
      sum += value;
      least = std::min(least, value);
      most = std::max(most, value);
      ++count;
    }
    series.x.push_back(epoch + 1);
    series.y.push_back(sum / count);
    series.lower.push_back(least);
    series.upper.push_back(most);
  }
  return series;
}

LineChart curves_chart(std::span<const RunGroup> groups) {
  LineChart chart{.title = "Mean of the runs, and their range", .x_label = "epoch", .panels = {}};
  for (const Quantity& quantity : kCurves) {
    Panel panel{.title = quantity.title, .series = {}};
    for (const RunGroup& group : groups) {
      Series series = curve_of(group, quantity);
      if (!series.x.empty()) panel.series.push_back(std::move(series));
    }
    if (!panel.series.empty()) chart.panels.push_back(std::move(panel));
  }
  return chart;
}

/// Mean and range over those of the group's runs that have a value, for every epoch with one; and each run's
/// first value in its terminal phase.
std::array<Series, 2> terminal_curves(const RunGroup& group, const TerminalQuantity& quantity, int color) {
  Series curve{.name = group.name, .x = {}, .y = {}, .style = SeriesStyle::kLineAndMarkers, .color = color};
  Series starts{.name = group.name + ": the phase begins",
                .x = {},
                .y = {},
                .style = SeriesStyle::kMarkers,
                .color = color};
  std::set<const RunRecord*> marked;
  int epochs = 0;
  for (const RunRecord& run : group.runs) epochs = std::max(epochs, run.metrics.size());
  for (int epoch = 0; epoch < epochs; ++epoch) {
    double sum = 0, least = std::numeric_limits<double>::infinity(), most = -least;
    int count = 0;
    for (const RunRecord& run : group.runs) {
      if (epoch >= run.metrics.size() || !has_column(run.metrics, quantity.column)) continue;
      const double value = quantity.factor * run.metrics.number(epoch, quantity.column);
      if (!std::isfinite(value)) continue;
      sum += value;
      least = std::min(least, value);
      most = std::max(most, value);
      ++count;
      const int first = terminal_row(run.metrics);
      if (first < 0 || epoch < first || !marked.insert(&run).second) continue;
      starts.x.push_back(epoch + 1);
      starts.y.push_back(value);
    }
    if (count == 0) continue;
    curve.x.push_back(epoch + 1);
    curve.y.push_back(sum / count);
    curve.lower.push_back(least);
    curve.upper.push_back(most);
  }
  // Dense curves are lines; those of attacks, with some epochs between them, show where they were made.
  if (static_cast<int>(curve.x.size()) == epochs) curve.style = SeriesStyle::kLine;
  return {std::move(curve), std::move(starts)};
}

LineChart terminal_chart(std::span<const RunGroup> groups) {
  LineChart chart{.title = "The terminal phase", .x_label = "epoch", .panels = {}};
  for (const TerminalQuantity& quantity : kTerminalQuantities) {
    Panel panel{.title = quantity.title, .series = {}};
    for (std::size_t i = 0; i < groups.size(); ++i)
      for (Series& series : terminal_curves(groups[i], quantity, static_cast<int>(i)))
        if (!series.x.empty()) panel.series.push_back(std::move(series));
    if (!panel.series.empty()) chart.panels.push_back(std::move(panel));
  }
  return chart;
}

const RunRecord* best_run(std::span<const RunGroup> groups) {
  const RunRecord* best = nullptr;
  for (const RunGroup& group : groups)
    for (const RunRecord& run : group.runs)
      if (run.is_finished() &&
          (best == nullptr || run.number("test_accuracy") > best->number("test_accuracy")))
        best = &run;
  return best;
}

Eigen::MatrixXd cosines(const Eigen::MatrixXd& columns) {
  const Eigen::MatrixXd unit = columns.colwise().normalized();
  return unit.transpose() * unit;
}

}  // namespace

void write_report_figures(const std::filesystem::path& directory, const std::string& extension,
                          std::span<const RunGroup> groups) {
  const auto path = [&](const char* name) { return directory / fmt::format("{}.{}", name, extension); };
  if (const LineChart chart = results_chart(groups); !chart.panels.empty())
    write_line_chart(path("results"), chart);
  if (const LineChart chart = curves_chart(groups); !chart.panels.empty())
    write_line_chart(path("curves"), chart);
  if (const LineChart chart = terminal_chart(groups); !chart.panels.empty())
    write_line_chart(path("terminal-phase"), chart);
  const RunRecord* run = best_run(groups);
  if (run == nullptr) return;
  const auto draw = [&](const char* name, const char* what, const Eigen::MatrixXd& matrix,
                        const char* label) {
    if (matrix.size() > 0 && matrix.allFinite())
      write_heat_map(path(name), fmt::format("{}, {}", what, run->name),
                     {.values = matrix, .diagonal = Diagonal::kIsGrey, .color_label = label});
  };
  draw("frame", "Frame", cosines(run->frame), "cos");
  draw("class-means", "Class means", cosines(run->class_means), "cos");
  draw("margins", "Margins", run->margins, "γ");
  draw("confusions", "Confusions", run->confusion, "pictures");
}

}  // namespace gnc
