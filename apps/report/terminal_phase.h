#pragma once
/// The terminal phase of training (Papyan, Han, Donoho 2020; Remark 3.11 of the paper): what goes on after
/// every training picture is classified rightly.

#include <array>
#include <span>

#include "apps/report/run_records.h"
#include "engine/csv.h"

namespace gnc {

/// A column of metrics.csv that is followed through the terminal phase, how it is called, and by what it is
/// multiplied for people.
struct TerminalQuantity {
  const char* column;
  const char* title;
  double factor;
};
inline constexpr std::array kTerminalQuantities = {
    TerminalQuantity{"train_ce", "training cross-entropy", 1},
    TerminalQuantity{"smallest_margin", "smallest margin", 1},
    TerminalQuantity{"mean_margin", "mean margin", 1},
    TerminalQuantity{"test_accuracy", "test accuracy (%)", 100},
    TerminalQuantity{"test_ce", "test cross-entropy", 1},
    TerminalQuantity{"robust_clean_accuracy", "accuracy before attacks (%)", 100},
    TerminalQuantity{"robust_fgsm_accuracy", "accuracy under FGSM (%)", 100},
    TerminalQuantity{"robust_pgd_accuracy", "accuracy under PGD (%)", 100},
    TerminalQuantity{"deepfool_distance", "DeepFool distance, mean", 1},
    TerminalQuantity{"deepfool_distance_median", "DeepFool distance, median", 1}};

/// The row of a run's table of epochs (metrics.csv) with the first training accuracy of 1, or -1.
int terminal_row(const CsvTable& epochs);
/// Whether the table of epochs has the column.
bool has_column(const CsvTable& table, std::string_view column);

/// A row for each run: group,run,begins,epochs. `begins` is the first epoch (from 1) with a training accuracy
/// of 1, nan where there is none; `epochs` the last one there is.
CsvTable terminal_table(std::span<const RunGroup> groups);

/// What changed within it: for each group and quantity the first value that was measured in the terminal
/// phase and the last one, as means over the runs that have two, and the change of the same runs with its
/// 95 % interval (paired, Student's t; nan for fewer than two runs):
///   group,quantity,runs,start,end,change,change_lower,change_upper,rose
/// `rose`: in how many of them it became more.
CsvTable terminal_changes_table(std::span<const RunGroup> groups);

}  // namespace gnc
