#include "apps/report/report_text.h"

#include <algorithm>
#include <cmath>

#include "apps/experiment_table.h"
#include "apps/report/comparison_notes.h"
#include "apps/report/report_statistics.h"
#include "apps/table.h"
#include "engine/error.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

std::vector<ExperimentRow> finished_rows(const RunGroup& group) {
  std::vector<ExperimentRow> rows;
  for (std::size_t i = 0; i < group.runs.size(); ++i) {
    const RunRecord& run = group.runs[i];
    if (!run.is_finished()) continue;
    rows.push_back({.run = static_cast<int>(i),
                    .vary = group.vary,
                    .transformation = run.transformation,
                    .seed = run.seed,
                    .train_ce = run.number("train_ce"),
                    .train_accuracy = run.number("train_accuracy"),
                    .test_ce = run.number("test_ce"),
                    .test_accuracy = run.number("test_accuracy")});
  }
  return rows;
}

/// A number of a table's row for people: accuracies in per cent.
std::string shown(double value, bool is_accuracy) {
  if (std::isnan(value)) return "n/a";
  return is_accuracy ? fmt::format("{:.3f}", 100 * value) : fmt::format("{:.4f}", value);
}

std::string statistics_text(const CsvTable& table) {
  TextTable text({{"group", Align::kLeft},
                  {"", Align::kLeft},
                  {"runs"},
                  {"mean"},
                  {"95 %"},
                  {"std (pop.)"},
                  {"std (sample)"},
                  {"95 %"},
                  {"range"}});
  for (int row = 0; row < table.size(); ++row) {
    const std::string& metric = table.text(row, "metric");
    const bool is_accuracy = metric.ends_with("accuracy");
    const auto cell = [&](std::string_view column) { return shown(table.number(row, column), is_accuracy); };
    const auto interval = [&](const std::string& of) {
      return std::isnan(table.number(row, of + "_lower"))
                 ? std::string("n/a")
                 : fmt::format("{} … {}", cell(of + "_lower"), cell(of + "_upper"));
    };
    text.add_row({table.text(row, "group"), metric, table.text(row, "runs"), cell("mean"), interval("mean"),
                  cell("population_deviation"), cell("sample_deviation"), interval("sample_deviation"),
                  cell("range")});
  }
  std::string notes;
  for (int row = 0; row < table.size(); ++row) {
    const std::string& note = table.text(row, "note");
    const bool is_told = row > 0 && table.text(row - 1, "note") == note &&
                         table.text(row - 1, "group") == table.text(row, "group");
    if (!note.empty() && !is_told) notes += fmt::format("{}: {}\n", table.text(row, "group"), note);
  }
  return text.to_string() + notes;
}

/// "p = 0.042", or what it is less than.
std::string p_text(double p) {
  if (std::isnan(p)) return "p n/a";
  return p < 0.001 ? "p < 0.001" : fmt::format("p = {:.3f}", p);
}

/// "0.729 below (difference -1.200 … -0.258)".
std::string difference_text(double difference, double lower, double upper, bool is_accuracy) {
  const char* side = difference < 0 ? "below" : difference > 0 ? "above" : "apart";
  const std::string interval =
      std::isnan(lower)
          ? "interval n/a"
          : fmt::format("difference {} … {}", shown(lower, is_accuracy), shown(upper, is_accuracy));
  return fmt::format("{} {} ({})", shown(std::abs(difference), is_accuracy), side, interval);
}

std::string comparisons_text(const CsvTable& table) {
  std::string text;
  for (int row = 0; row < table.size(); ++row) {
    const bool is_accuracy = table.text(row, "metric").ends_with("accuracy");
    const auto at = [&](std::string_view column) { return table.number(row, column); };
    text += fmt::format(
        "{} of {} against {}:\n"
        "  spread: deviation {:.2f} times the control's ({:.2f} … {:.2f} if normal); equal variances: "
        "{} (Brown-Forsythe), {} (permutations)\n"
        "  mean: {}; {} (one draw of the seed), Cliff's delta {:.2f}\n",
        table.text(row, "metric"), table.text(row, "group"), table.text(row, "control"),
        at("deviation_ratio"), at("deviation_ratio_lower"), at("deviation_ratio_upper"),
        p_text(at("p_value")), p_text(at("permutation_p_value")),
        difference_text(at("mean_difference"), at("mean_difference_lower"), at("mean_difference_upper"),
                        is_accuracy),
        p_text(at("mean_p_value")), at("cliffs_delta"));
    if (const std::string& note = table.text(row, "note"); !note.empty())
      text += fmt::format("  mean: {}\n", note);
  }
  if (!text.empty())
    text +=
        "A group's runs share one seed: its mean counts as one more draw among the control's (t with one "
        "degree "
        "of freedom less than the control\n"
        "has runs, 95 % prediction interval). Welch's test would take each of its runs for a draw of its own "
        "and "
        "that seed's luck for an effect.\n";
  return text;
}

/// The rows as objects; fields that are numbers as numbers.
Json objects(const CsvTable& table, const std::vector<std::string>& words) {
  Json rows = Json::array();
  for (int row = 0; row < table.size(); ++row) {
    Json object = Json::object();
    for (const std::string& column : table.header())
      object[column] = std::ranges::find(words, column) != words.end() ? Json(table.text(row, column))
                                                                       : Json(table.number(row, column));
    rows.push_back(std::move(object));
  }
  return rows;
}

}  // namespace

std::string report_text(std::span<const RunGroup> groups) {
  std::string text;
  for (const RunGroup& group : groups) {
    const std::vector<ExperimentRow> rows = finished_rows(group);
    text += fmt::format("{}: {} of {} runs are finished\n", group.name, rows.size(), group.planned);
    if (!rows.empty()) text += experiment_table(rows) + "\n";
  }
  text += statistics_text(statistics_table(groups)) + "\n";
  text += comparisons_text(comparison_table(groups));
  const ComparisonNotes notes = comparison_notes(groups);
  for (const std::string& left_out : notes.left_out) text += left_out + "\n";
  for (const std::string& warning : notes.warnings) text += fmt::format("warning: {}\n", warning);
  for (const std::string& missing : notes.missing) text += missing + "\n";
  return text + "\n";
}

Json report_summary(std::span<const RunGroup> groups) {
  const std::vector<std::string> words = {"group",   "vary",     "metric", "control",
                                          "outcome", "quantity", "note"};
  Json summary = {{"groups", Json::array()}};
  for (const RunGroup& group : groups)
    summary["groups"].push_back({{"name", group.name},
                                 {"vary", group.vary},
                                 {"planned", group.planned},
                                 {"finished", std::ranges::count_if(group.runs, &RunRecord::is_finished)}});
  summary["statistics"] = objects(statistics_table(groups), words);
  summary["comparisons"] = objects(comparison_table(groups), words);
  summary["ranks"] = objects(rank_table(groups), words);
  const ComparisonNotes notes = comparison_notes(groups);
  summary["missing"] = notes.missing;
  summary["left_out"] = notes.left_out;
  summary["warnings"] = notes.warnings;
  return summary;
}

}  // namespace gnc
