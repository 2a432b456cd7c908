#pragma once
/// What keeps groups from being compared, and what makes a comparison doubtful.

#include <span>
#include <string>
#include <vector>

#include "apps/report/run_records.h"
#include "engine/csv.h"

namespace gnc {

/// Sentences for people; empty where everything is compared and nothing is doubtful, and for a run alone.
struct ComparisonNotes {
  /// What is missing: a control, or for each group with too few finished runs, and for each pair with too few
  /// that are not shared, how many it has and needs.
  std::vector<std::string> missing;
  /// For each comparison the runs of the group that are runs of the control, too
  /// (apps/report/shared_runs.h), and do not count on the group's side.
  std::vector<std::string> left_out;
  /// For each comparison (apps/report/report_statistics.h) of groups that differ in more than what is varied,
  /// the settings and both values; and the seeds of a group that no finished run of its control has.
  std::vector<std::string> warnings;
};

/// Settings are those of config.toml that both groups have. Left out are those that say what is varied, where
/// and how the runs were trained without changing a number (threads, ensemble, shard, …) and what was
/// measured of them. Frames are the same if the sorted cosines between their vectors are, to 1e-9: whatever
/// rotates or permutes them and whatever their files are called. Data folders are compared as they were
/// given.
ComparisonNotes comparison_notes(std::span<const RunGroup> groups);

/// group,setting,value of every group's config.toml, in its order.
CsvTable settings_table(std::span<const RunGroup> groups);

}  // namespace gnc
