#include "apps/report/report_page.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "apps/options.h"
#include "apps/report/comparison_notes.h"
#include "apps/report/quantity_names.h"
#include "apps/report/report_assets.h"
#include "engine/error.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kMatricesNote =
    "Cosines of frame and class means have one scale, -1 to 1. Grey: the diagonal of margins and confusions, "
    "which would drown the rest.";

void replace(std::string& text, std::string_view place, std::string_view with) {
  const std::size_t at = text.find(place);
  require(at != std::string::npos, "report: the page has no {}", place);
  text.replace(at, place.size(), with);
}

std::string escaped_html(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

/// JSON that may stand in a <script>: without "<", which could end it.
std::string escaped_json(const Json& json) {
  std::string result;
  for (const char c : to_text(json)) {
    if (c == '<')
      result += "\\u003c";
    else
      result += c;
  }
  return result;
}

/// {"column": {"title","unit","factor"}}: of all columns, and of the quantities that rows are of.
Json names_of(std::span<const ReportTable> tables) {
  std::set<std::string> columns;
  for (const ReportTable& table : tables) {
    for (const std::string& column : table.table.header()) {
      columns.insert(column);
      if (column != "metric" && column != "quantity" && column != "outcome") continue;
      for (int row = 0; row < table.table.size(); ++row) columns.insert(table.table.text(row, column));
    }
  }
  Json names = Json::object();
  for (const std::string& column : columns) {
    const QuantityName name = quantity_name(column);
    names[column] = {{"title", name.title}, {"unit", name.unit}, {"factor", name.factor}};
  }
  return names;
}

bool is_matrix(const ReportTable& table) {
  return table.name == "gram" || table.name == "margins" || table.name == "confusions";
}

/// Keys "group/run" of the runs with the lowest, middle and highest test accuracy of each group.
std::set<std::string> telling_runs(std::span<const RunGroup> groups) {
  std::set<std::string> keys;
  for (const RunGroup& group : groups) {
    std::vector<const RunRecord*> runs;
    for (const RunRecord& run : group.runs)
      if (run.is_finished()) runs.push_back(&run);
    if (runs.empty()) continue;
    std::ranges::stable_sort(runs, {}, [](const RunRecord* run) { return run->number("test_accuracy"); });
    for (const RunRecord* run : {runs.front(), runs[runs.size() / 2], runs.back()})
      keys.insert(group.name + "/" + run->name);
  }
  return keys;
}

CsvTable only(const CsvTable& table, const std::set<std::string>& keys) {
  CsvTable result(table.header());
  for (int row = 0; row < table.size(); ++row) {
    if (!keys.contains(table.text(row, "group") + "/" + table.text(row, "run"))) continue;
    result.add_row(table.row(row));
  }
  return result;
}

}  // namespace

std::string report_page(std::span<const RunGroup> groups, std::span<const ReportTable> tables,
                        const PageOptions& options) {
  const ComparisonNotes notes = comparison_notes(groups);
  Json data = {{"version", options.version},     {"reload_seconds", options.reload_seconds},
               {"matrices_note", kMatricesNote}, {"missing", notes.missing},
               {"left_out", notes.left_out},     {"warnings", notes.warnings},
               {"names", names_of(tables)},      {"groups", Json::array()},
               {"tables", Json::object()}};
  for (const RunGroup& group : groups)
    data["groups"].push_back({{"name", group.name},
                              {"vary", group.vary},
                              {"model", group.setting("model")},
                              {"control", group.is_control()},
                              {"planned", group.planned},
                              {"begun", group.runs.size()},
                              {"finished", std::ranges::count_if(group.runs, &RunRecord::is_finished)}});
  for (const ReportTable& table : tables) {
    if (is_matrix(table) && table.table.size() > kMostMatrixRows) {
      data["tables"][table.name] = only(table.table, telling_runs(groups)).to_string();
      data["matrices_note"] = std::string(kMatricesNote) +
                              " To keep this page light it holds the matrices of the runs with the lowest, "
                              "middle and highest test accuracy of each group; the CSV files beside it have "
                              "those of all.";
    } else {
      data["tables"][table.name] = table.table.to_string();
    }
  }
  std::string page(report_assets::kPage);
  replace(page, "@TITLE@", escaped_html(options.title));
  replace(page, "@TITLE@", escaped_html(options.title));
  replace(page, "@CSS@", report_assets::kStyle);
  replace(page, "@CHART_JS@", report_assets::kChartJs);
  replace(page, "@SCRIPT@", report_assets::kScript);
  replace(page, "@DATA@", escaped_json(data));  // last: what it holds may look like a place
  return page;
}

}  // namespace gnc
