#pragma once
/// The terminal phase of training (Papyan, Han, Donoho 2020; Remark 3.11 of the paper): what goes on after
/// every training picture is classified rightly.

#include <array>
#include <span>

#include "apps/report/run_records.h"
#include "engine/csv.h"

namespace gnc {

/// The columns of metrics.csv that are followed through the terminal phase.
inline constexpr std::array kTerminalQuantities = {
    "train_ce",          "smallest_margin",         "mean_margin",          "test_accuracy",
    "test_ce",           "robust_clean_accuracy",   "robust_fgsm_accuracy", "robust_pgd_accuracy",
    "deepfool_distance", "deepfool_distance_median"};

/// The row of a run's table of epochs (metrics.csv) with the first training accuracy of 1, or -1.
int terminal_row(const CsvTable& epochs);
/// Whether the table of epochs has the column.
bool has_column(const CsvTable& table, std::string_view column);

/// A row for each run: group,run,begins,epochs. `begins` is the first epoch (from 1) with a training accuracy
/// of 1, nan where there is none; `epochs` the last one there is.
CsvTable terminal_table(std::span<const RunGroup> groups);

/// What changed within it: for each group and quantity the first value that was measured in the terminal
/// phase and the last one, as means over the runs that have two, and the change of the same runs with its
/// 95 % interval (paired, Student's t; nan for fewer than two runs, and where all change by the same but for
/// rounding):
///   group,quantity,runs,start,end,change,change_lower,change_upper,rose,note
/// `rose`: in how many of them it became more. `note`: why there is no interval.
CsvTable terminal_changes_table(std::span<const RunGroup> groups);

}  // namespace gnc
