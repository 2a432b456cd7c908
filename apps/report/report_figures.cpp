#include "apps/report/report_figures.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include "apps/pictures/heat_map.h"
#include "apps/pictures/line_chart.h"
#include "apps/report/quantity_names.h"
#include "apps/report/terminal_phase.h"
#include "engine/error.h"

namespace gnc {
namespace {

constexpr std::array kResults = {"test_accuracy", "test_ce"};
constexpr std::array kCurves = {
    "train_accuracy", "test_accuracy", "train_ce", "test_ce", "nc1", "nc2", "nc3", "nc4"};
/// Those of layers.csv, and whether a logarithmic axis shows them best.
struct LayerQuantity {
  const char* column;
  bool is_ratio;
};
constexpr auto kLayers = std::to_array<LayerQuantity>({{"within_between_pinv", true},
                                                       {"within_between_quotient", true},
                                                       {"cdnv", true},
                                                       {"max_cosine_means", false},
                                                       {"equinorm", false},
                                                       {"equiangular", false},
                                                       {"nearest_mean_accuracy", false},
                                                       {"test_nearest_mean_accuracy", false}});

/// Panels that share one legend and one kind of x axis; those without curves are left out.
LineChart chart_of(std::string title, std::string x_label, int columns) {
  return {.title = std::move(title),
          .x_label = std::move(x_label),
          .panels = {},
          .x_values = AxisValues::kIntegers,
          .legend = LegendPlace::kOnce,
          .columns = columns};
}

void add_panel(LineChart& chart, Panel panel) {
  if (!panel.series.empty()) chart.panels.push_back(std::move(panel));
}

/// The place of a run's marker: those of different groups stand beside each other, within a fifth of the way
/// to the next run, so that equal results of two groups are both seen.
double place_of(std::size_t run, std::size_t group, std::size_t groups) {
  if (groups == 1) return static_cast<double>(run);
  constexpr double kWidth = 0.4;
  return static_cast<double>(run) +
         kWidth * (static_cast<double>(group) / static_cast<double>(groups - 1) - 0.5);
}

LineChart results_chart(std::span<const RunGroup> groups) {
  LineChart chart = chart_of("Results of the finished runs", "run", 1);
  for (const char* column : kResults) {
    const QuantityName name = quantity_name(column);
    Panel panel{.title = name.with_unit(), .series = {}};
    for (std::size_t g = 0; g < groups.size(); ++g) {
      Series series{.name = groups[g].name,
                    .x = {},
                    .y = {},
                    .style = SeriesStyle::kMarkers,
                    .color = static_cast<int>(g)};
      for (std::size_t i = 0; i < groups[g].runs.size(); ++i) {
        if (!groups[g].runs[i].is_finished()) continue;
        series.x.push_back(place_of(i, g, groups.size()));
        series.y.push_back(name.factor * groups[g].runs[i].number(column));
      }
      if (!series.x.empty()) panel.series.push_back(std::move(series));
    }
    add_panel(chart, std::move(panel));
  }
  return chart;
}

/// Adds the mean of what is finite of `values` at x, with their range; nothing where nothing is.
void add_mean(Series& series, double x, std::span<const double> values) {
  double sum = 0, least = std::numeric_limits<double>::infinity(), most = -least;
  int count = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    sum += value;
    least = std::min(least, value);
    most = std::max(most, value);
    ++count;
  }
  if (count == 0) return;
  series.x.push_back(x);
  series.y.push_back(sum / count);
  series.lower.push_back(least);
  series.upper.push_back(most);
}

int epochs_of(const RunGroup& group) {
  int epochs = 0;
  for (const RunRecord& run : group.runs) epochs = std::max(epochs, run.metrics.size());
  return epochs;
}

/// Values of the group's runs in an epoch (from 0) that have the column.
std::vector<double> values_of(const RunGroup& group, int epoch, const char* column, double factor) {
  std::vector<double> values;
  for (const RunRecord& run : group.runs)
    if (epoch < run.metrics.size() && has_column(run.metrics, column))
      values.push_back(factor * run.metrics.number(epoch, column));
  return values;
}

/// Mean and range over the group's runs of every epoch that one of them has a value of.
Series curve_of(const RunGroup& group, const char* column, double factor, std::size_t color) {
  Series curve{.name = group.name, .x = {}, .y = {}, .color = static_cast<int>(color)};
  const int epochs = epochs_of(group);
  for (int epoch = 0; epoch < epochs; ++epoch)
    add_mean(curve, epoch + 1, values_of(group, epoch, column, factor));
  // Dense curves are lines; those of attacks, with some epochs between them, show where they were made.
  if (static_cast<int>(curve.x.size()) < epochs) curve.style = SeriesStyle::kLineAndMarkers;
  return curve;
}

LineChart curves_chart(std::span<const RunGroup> groups) {
  LineChart chart = chart_of("Means of the runs, and bars from the least to the largest", "epoch", 2);
  for (const char* column : kCurves) {
    const QuantityName name = quantity_name(column);
    Panel panel{.title = name.with_unit(), .series = {}};
    for (std::size_t g = 0; g < groups.size(); ++g) {
      Series curve = curve_of(groups[g], column, name.factor, g);
      if (!curve.x.empty()) panel.series.push_back(std::move(curve));
    }
    add_panel(chart, std::move(panel));
  }
  return chart;
}

/// Each run's first value in its terminal phase.
Series terminal_starts(const RunGroup& group, const char* column, double factor, std::size_t color) {
  Series starts{.name = group.name + ": the phase begins",
                .x = {},
                .y = {},
                .style = SeriesStyle::kMarkers,
                .color = static_cast<int>(color)};
  for (const RunRecord& run : group.runs) {
    const int first = terminal_row(run.metrics);
    if (first < 0 || !has_column(run.metrics, column)) continue;
    for (int epoch = first; epoch < run.metrics.size(); ++epoch) {
      const double value = factor * run.metrics.number(epoch, column);
      if (!std::isfinite(value)) continue;
      starts.x.push_back(epoch + 1);
      starts.y.push_back(value);
      break;
    }
  }
  return starts;
}

LineChart terminal_chart(std::span<const RunGroup> groups) {
  LineChart chart =
      chart_of("The terminal phase: means of the runs, and bars from the least to the largest", "epoch", 2);
  for (const char* column : kTerminalQuantities) {
    const QuantityName name = quantity_name(column);
    Panel panel{.title = name.with_unit(), .series = {}};
    for (std::size_t g = 0; g < groups.size(); ++g)
      for (Series& series : std::array{curve_of(groups[g], column, name.factor, g),
                                       terminal_starts(groups[g], column, name.factor, g)})
        if (!series.x.empty()) panel.series.push_back(std::move(series));
    add_panel(chart, std::move(panel));
  }
  return chart;
}

/// A layer of a run in its last epoch.
struct LastLayer {
  std::string name;
  const RunRecord* run = nullptr;
  int row = 0;  ///< of run->layers
};

/// Those of a run, in their order.
std::vector<LastLayer> last_layers(const RunRecord& run) {
  std::vector<LastLayer> layers;
  int row = run.layers.size() - 1;
  const std::string last = row < 0 ? "" : run.layers.text(row, "epoch");
  for (; row >= 0 && run.layers.text(row, "epoch") == last; --row)
    layers.push_back({run.layers.text(row, "layer"), &run, row});
  std::ranges::reverse(layers);
  return layers;
}

/// The layers of one architecture.
struct Depth {
  std::vector<std::string> names;  ///< from the first to the last
  /// For each group (none of those with another architecture) and each of the names, those of its runs.
  std::vector<std::vector<std::vector<LastLayer>>> layers;
};

Depth depth_of(std::span<const RunGroup> groups, const std::string& model) {
  std::vector<std::vector<std::vector<LastLayer>>> runs(groups.size());
  Depth depth;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].setting("model") != model) continue;
    for (const RunRecord& run : groups[g].runs) runs[g].push_back(last_layers(run));
  }
  // The order is that of the run that has most; what others have beside them stands behind.
  std::vector<const std::vector<LastLayer>*> by_size;
  for (const auto& group : runs)
    for (const std::vector<LastLayer>& run : group) by_size.push_back(&run);
  std::ranges::stable_sort(by_size, std::greater<>(), [](const auto* run) { return run->size(); });
  std::map<std::string, std::size_t> places;
  for (const std::vector<LastLayer>* run : by_size)
    for (const LastLayer& layer : *run)
      if (places.emplace(layer.name, depth.names.size()).second) depth.names.push_back(layer.name);
  for (auto& group : runs) {
    depth.layers.emplace_back(depth.names.size());
    for (std::vector<LastLayer>& run : group)
      for (LastLayer& layer : run) depth.layers.back()[places.at(layer.name)].push_back(std::move(layer));
  }
  return depth;
}

LineChart layers_chart(std::span<const RunGroup> groups, const std::string& model) {
  const Depth depth = depth_of(groups, model);
  LineChart chart = chart_of(
      fmt::format("Layers of {}, last epoch: means of the runs, and bars from the least to the largest",
                  model),
      "layer", 2);
  chart.x_names = depth.names;
  for (const LayerQuantity& quantity : kLayers) {
    const QuantityName name = quantity_name(quantity.column);
    Panel panel{.title = name.with_unit(), .series = {}};
    bool is_positive = true;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      Series curve{.name = groups[g].name,
                   .x = {},
                   .y = {},
                   .style = SeriesStyle::kLineAndMarkers,
                   .color = static_cast<int>(g)};
      for (std::size_t place = 0; place < depth.names.size(); ++place) {
        std::vector<double> values;
        for (const LastLayer& layer : depth.layers[g][place])
          if (has_column(layer.run->layers, quantity.column))
            values.push_back(name.factor * layer.run->layers.number(layer.row, quantity.column));
        add_mean(curve, static_cast<double>(place), values);
      }
      is_positive = is_positive && std::ranges::all_of(curve.lower, [](double value) { return value > 0; });
      if (!curve.x.empty()) panel.series.push_back(std::move(curve));
    }
    if (quantity.is_ratio && is_positive) panel.scale = AxisScale::kLogarithmic;
    add_panel(chart, std::move(panel));
  }
  return chart;
}

/// A model's name as part of a file's name.
std::string file_part(std::string name) {
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '.') c = '_';
  return name;
}

struct BestRun {
  const RunGroup* group = nullptr;
  const RunRecord* run = nullptr;
  int finished = 0;  ///< runs it was chosen from
};

BestRun best_run(std::span<const RunGroup> groups) {
  BestRun best;
  for (const RunGroup& group : groups)
    for (const RunRecord& run : group.runs) {
      if (!run.is_finished()) continue;
      ++best.finished;
      if (best.run != nullptr && run.number("test_accuracy") <= best.run->number("test_accuracy")) continue;
      best.group = &group;
      best.run = &run;
    }
  return best;
}

Eigen::MatrixXd cosines(const Eigen::MatrixXd& columns) {
  const Eigen::MatrixXd unit = columns.colwise().normalized();
  return unit.transpose() * unit;
}

void write_matrices(const std::filesystem::path& directory, const std::string& extension,
                    const BestRun& best) {
  const RunRecord& run = *best.run;
  const std::string name =
      best.group->name == run.name ? run.name : fmt::format("{}, {}", best.group->name, run.name);
  const std::string chosen = best.finished == 1
                                 ? "The only finished run."
                                 : fmt::format("The run with the best test accuracy of {}: {:.3f} %.",
                                               best.finished, 100 * run.number("test_accuracy"));
  const auto draw = [&](const char* file, const char* title, const char* note, HeatMap map) {
    if (map.values.size() == 0 || !map.values.allFinite()) return;
    write_heat_map(directory / fmt::format("{}.{}", file, extension),
                   {.title = fmt::format("{}: {}", title, name), .notes = {note, chosen}}, map);
  };
  // The diagonals of cosines, all 1, are shown: with them frame and class means have one scale, -1 to 1.
  draw("frame", "Frame", "Cosines of the classifier's vectors of class i (row) and j (column).",
       {.values = cosines(run.frame), .color_label = "cos"});
  draw("class-means", "Class means",
       "Cosines of the mean features of class i (row) and j (column), training set.",
       {.values = cosines(run.class_means), .color_label = "cos"});
  draw("margins", "Margins",
       "γ of class i (row) against class j (column): the least (M_i − M_j)ᵀz, training set.",
       {.values = run.margins, .diagonal = Diagonal::kIsGrey, .color_label = "γ"});
  draw("confusions", "Confusions",
       "Test pictures of class i (row) taken for class j (column); the diagonal is out of the scale.",
       {.values = run.confusion,
        .kind = HeatMapValues::kCounts,
        .diagonal = Diagonal::kIsGrey,
        .color_label = "pictures"});
}

}  // namespace

void write_report_figures(const std::filesystem::path& directory, const std::string& extension,
                          std::span<const RunGroup> groups) {
  const auto write = [&](const std::string& name, const LineChart& chart) {
    if (!chart.panels.empty()) write_line_chart(directory / fmt::format("{}.{}", name, extension), chart);
  };
  write("results", results_chart(groups));
  write("curves", curves_chart(groups));
  write("terminal-phase", terminal_chart(groups));
  std::set<std::string> models;
  for (const RunGroup& group : groups) models.insert(group.setting("model"));
  for (const std::string& model : models)
    write(model.empty() ? "layers" : "layers-" + file_part(model), layers_chart(groups, model));
  if (const BestRun best = best_run(groups); best.run != nullptr) write_matrices(directory, extension, best);
}

}  // namespace gnc
