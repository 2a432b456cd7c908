#pragma once
/// The tables and statistics of a report for the terminal and for scripts.

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "apps/report/run_records.h"

namespace gnc {

/// Table 1 and 2 of each group with finished runs, 95 % intervals of mean and deviation, the paper's row, and
/// each comparison with a seed control, with what is missing and what makes it doubtful.
std::string report_text(std::span<const RunGroup> groups);

/// {"groups": [{"name","vary","planned","finished"}], "statistics": […], "comparisons": […],
/// "ranks": […], "missing": […], "warnings": […]}: the rows of the tables of those names
/// (apps/report/report_statistics.h) as objects, and the sentences of apps/report/comparison_notes.h.
nlohmann::ordered_json report_summary(std::span<const RunGroup> groups);

}  // namespace gnc
