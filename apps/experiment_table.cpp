#include "apps/experiment_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "apps/table.h"
#include "engine/csv.h"
#include "engine/error.h"
#include "engine/statistics.h"

namespace gnc {
namespace {

/// A column of results: its name in files, its title on the terminal, where it is, and how it is printed.
struct Metric {
  std::string_view name;
  std::string_view title;
  double ExperimentRow::*value;
  double scale;
  int decimals;

  std::string text(double number) const {
    return std::isnan(number) ? "n/a" : fmt::format("{:.{}f}", scale * number, decimals);
  }
};

constexpr std::array kMetrics = {
    Metric{"train_ce", "train CE", &ExperimentRow::train_ce, 1, 4},
    Metric{"train_accuracy", "train acc %", &ExperimentRow::train_accuracy, 100, 3},
    Metric{"test_ce", "test CE", &ExperimentRow::test_ce, 1, 4},
    Metric{"test_accuracy", "test acc %", &ExperimentRow::test_accuracy, 100, 3}};

// A permutation of 100 classes written out is 300 characters; the CSV file has all of them.
constexpr int kWidestTransformation = 32;

std::vector<std::string> csv_header() {
  std::vector<std::string> header = {"run", "vary", "transformation", "seed"};
  for (const Metric& metric : kMetrics) header.emplace_back(metric.name);
  return header;
}

SampleStatistics statistics_of(std::span<const ExperimentRow> rows, const Metric& metric) {
  std::vector<double> values;
  for (const ExperimentRow& row : rows) {
    values.push_back(row.*metric.value);
    require(std::isfinite(values.back()), "run {}: {} is {}; the table needs a finite number", row.run,
            metric.name, values.back());
  }
  return summarize(values);
}

/// "permutation", or all that occur, in the order in which they do.
std::string varied(std::span<const ExperimentRow> rows) {
  std::vector<std::string> names;
  for (const ExperimentRow& row : rows) {
    if (std::find(names.begin(), names.end(), row.vary) == names.end()) names.push_back(row.vary);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::string experiment_table(std::span<const ExperimentRow> rows) {
  require(!rows.empty(), "table: no runs");
  std::vector<TableColumn> columns = {{"run"}, {"transformation", Align::kLeft}, {"seed"}};
  for (const Metric& metric : kMetrics) columns.push_back({std::string(metric.title)});
  TextTable table(std::move(columns));

  for (const ExperimentRow& row : rows) {
    std::vector<std::string> cells = {std::to_string(row.run),
                                      truncated(row.transformation, kWidestTransformation),
                                      std::to_string(row.seed)};
    for (const Metric& metric : kMetrics) cells.push_back(metric.text(row.*metric.value));
    table.add_row(std::move(cells));
  }
  table.add_rule();
  std::vector<std::string> mean = {"", "mean", ""};
  std::vector<std::string> population = {"", "std (population)", ""};
  std::vector<std::string> sample = {"", "std (sample)", ""};
  std::vector<std::string> range = {"", "range", ""};
  for (const Metric& metric : kMetrics) {
    const SampleStatistics statistics = statistics_of(rows, metric);
    mean.push_back(metric.text(statistics.mean));
    population.push_back(metric.text(statistics.population_deviation));
    sample.push_back(metric.text(statistics.sample_deviation));
    range.push_back(metric.text(statistics.range()));
  }
  for (auto* line : {&mean, &population, &sample, &range}) table.add_row(std::move(*line));
  return fmt::format("{} {}, varied: {}\n{}", rows.size(), rows.size() == 1 ? "run" : "runs", varied(rows),
                     table.to_string());
}

void print_experiment_table(std::span<const ExperimentRow> rows) { fmt::print("{}", experiment_table(rows)); }

nlohmann::ordered_json experiment_summary(std::span<const ExperimentRow> rows) {
  nlohmann::ordered_json summary = {{"runs", rows.size()}, {"vary", varied(rows)}};
  for (const Metric& metric : kMetrics) {
    const SampleStatistics statistics = statistics_of(rows, metric);
    summary[std::string(metric.name)] = {{"mean", statistics.mean},
                                         {"population_deviation", statistics.population_deviation},
                                         {"sample_deviation", statistics.sample_deviation},
                                         {"minimum", statistics.minimum},
                                         {"maximum", statistics.maximum},
                                         {"range", statistics.range()}};
  }
  return summary;
}

void write_experiment_table(const std::filesystem::path& path, std::span<const ExperimentRow> rows,
                            const KnownFolder* folder) {
  CsvTable table(csv_header());
  for (const ExperimentRow& row : rows) {
    std::vector<std::string> fields = {std::to_string(row.run), row.vary, row.transformation,
                                       std::to_string(row.seed)};
    for (const Metric& metric : kMetrics) fields.push_back(csv_number(row.*metric.value));
    table.add_row(std::move(fields));
  }
  table.write(path, folder);
}

std::vector<ExperimentRow> read_experiment_table(const std::filesystem::path& path) {
  const CsvTable table = read_csv(path);
  table.expect_header(csv_header());
  std::vector<ExperimentRow> rows;
  for (int i = 0; i < table.size(); ++i) {
    const std::uint64_t run = table.integer(i, "run");
    require<FileError>(run <= static_cast<std::uint64_t>(std::numeric_limits<int>::max()),
                       "{}: run {} is too large", path.string(), run);
    ExperimentRow row{.run = static_cast<int>(run),
                      .vary = table.text(i, "vary"),
                      .transformation = table.text(i, "transformation"),
                      .seed = table.integer(i, "seed")};
    for (const Metric& metric : kMetrics) row.*metric.value = table.number(i, metric.name);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace gnc
