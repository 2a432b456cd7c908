#include "apps/report/comparison_notes.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "apps/report/report_statistics.h"
#include "apps/report/shared_runs.h"

namespace gnc {
namespace {

/// Settings that two groups may have different without being trained differently but for what is varied.
constexpr auto kNotCompared =
    std::to_array<std::string_view>({"vary",
                                     "frames",
                                     "rotation",
                                     "permute-for",
                                     "similarity",
                                     "seed",  // varied
                                     "out",
                                     "resume",
                                     "threads",
                                     "ensemble",
                                     "shard",
                                     "checkpoint-every",
                                     "profile",  // how it ran
                                     "metrics",
                                     "layers",
                                     "bounds",
                                     "bounds-pictures",
                                     "robustness",
                                     "robustness-epsilon",  // measured
                                     "robustness-every",
                                     "classifier"});  // a file; the frames in it are compared instead

std::size_t finished_runs(const RunGroup& group) {
  return static_cast<std::size_t>(std::ranges::count_if(group.runs, &RunRecord::is_finished));
}

bool is_comparable(const RunGroup& group) { return finished_runs(group) >= kFewestToCompare; }

/// The cosines between the vectors of the group's first frame, sorted; empty where it has none.
std::vector<double> sorted_cosines(const RunGroup& group) {
  if (group.runs.empty() || group.runs.front().frame.size() == 0) return {};
  const Eigen::MatrixXd unit = group.runs.front().frame.colwise().normalized();
  std::vector<double> cosines;
  for (Eigen::Index j = 1; j < unit.cols(); ++j)
    for (Eigen::Index i = 0; i < j; ++i) cosines.push_back(unit.col(i).dot(unit.col(j)));
  std::ranges::sort(cosines);
  return cosines;
}

bool have_same_frame(const RunGroup& a, const RunGroup& b) {
  constexpr double kRounding = 1e-9;
  return std::ranges::equal(sorted_cosines(a), sorted_cosines(b),
                            [](double x, double y) { return std::abs(x - y) <= kRounding; });
}

/// "epochs 6 and 3", for each setting that differs.
std::vector<std::string> differences(const RunGroup& a, const RunGroup& b) {
  std::vector<std::string> texts;
  const auto add = [&](const std::string& name, const std::string& one, const std::string& other) {
    texts.push_back(fmt::format("{} {} and {}", name, one, other));
  };
  for (const auto& [name, value] : a.settings) {
    if (std::ranges::find(kNotCompared, name) != kNotCompared.end()) continue;
    const auto other = std::ranges::find(b.settings, name, &std::pair<std::string, std::string>::first);
    if (other != b.settings.end() && other->second != value) add(name, value, other->second);
  }
  if (!have_same_frame(a, b)) add("classifier", a.setting("classifier"), b.setting("classifier"));
  return texts;
}

/// Of the finished runs.
std::set<std::uint64_t> seeds_of(const RunGroup& group) {
  std::set<std::uint64_t> seeds;
  for (const RunRecord& run : group.runs)
    if (run.is_finished()) seeds.insert(run.seed);
  return seeds;
}

/// What there is to say of a group and a control that have runs enough each.
void add_notes_of_pair(const RunGroup& group, const RunGroup& control, ComparisonNotes& notes) {
  for (const auto& [run, control_run] : shared_runs(group, control))
    notes.left_out.push_back(fmt::format(
        "{} of {} is {} of its control {} (the same seed, parameters and cross-entropies, to the bit): the "
        "group is compared without it.",
        run->name, group.name, control_run->name, control.name));
  const std::size_t own = own_runs(group, control).size();
  if (own < kFewestToCompare) {
    notes.missing.push_back(
        fmt::format("{} has too few runs of its own to be compared with {}: {} of {} finished; it needs {}.",
                    group.name, control.name, own, finished_runs(group), kFewestToCompare));
    return;
  }
  const std::vector<std::string> texts = differences(group, control);
  if (!texts.empty())
    notes.warnings.push_back(fmt::format("{} and its control {} differ in more than what is varied: {}.",
                                         group.name, control.name, fmt::join(texts, "; ")));
  const std::set<std::uint64_t> seeds = seeds_of(control);
  for (const std::uint64_t seed : seeds_of(group))
    if (!seeds.contains(seed))
      notes.warnings.push_back(fmt::format(
          "{} was trained with seed {}, which no finished run of its control {} has: those have {}.",
          group.name, seed, control.name, fmt::join(seeds, ", ")));
}

}  // namespace

ComparisonNotes comparison_notes(std::span<const RunGroup> groups) {
  ComparisonNotes notes;
  if (std::ranges::all_of(groups, [](const RunGroup& group) { return group.vary == "single"; }))
    return notes;  // runs alone ask for no comparison
  if (std::ranges::none_of(groups, &RunGroup::is_control))
    notes.missing.push_back(
        "There is no control: give the folder of a sweep with --vary seed beside the others.");
  else if (std::ranges::all_of(groups, &RunGroup::is_control))
    notes.missing.push_back(
        "There is nothing to compare the control with: give the folder of a sweep that varies the "
        "permutation or "
        "the rotation beside it.");
  for (const RunGroup& group : groups)
    if (group.vary != "single" && !is_comparable(group))
      notes.missing.push_back(
          fmt::format("{} has too few finished runs to be compared: {} of {} planned; it needs {}.",
                      group.name, finished_runs(group), group.planned, kFewestToCompare));
  for (const RunGroup& group : groups) {
    if (group.is_control() || !is_comparable(group)) continue;
    for (const RunGroup& control : groups) {
      if (control.is_control() && is_comparable(control)) add_notes_of_pair(group, control, notes);
    }
  }
  return notes;
}

CsvTable settings_table(std::span<const RunGroup> groups) {
  CsvTable table(std::vector<std::string>{"group", "setting", "value"});
  for (const RunGroup& group : groups)
    for (const auto& [name, value] : group.settings) table.add_row({group.name, name, value});
  return table;
}

}  // namespace gnc
