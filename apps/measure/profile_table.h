#pragma once
/// A profile as a table: where the step's time goes, and how far that is from what the device can do.

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

#include "apps/measure/ceilings.h"
#include "apps/measure/profiler.h"

namespace gnc {

/// Ops of one kind in one layer; sums over a step.
struct ProfileRow {
  std::string layer = {};
  std::string op = {};
  int calls = 0;
  double seconds = 0;    ///< median over the steps
  double deviation = 0;  ///< median absolute deviation, seconds
  double flops = 0;
  double bytes = 0;
};

/// A profile's steps, summed up; all times are medians over the steps, in seconds.
struct ProfileSummary {
  std::vector<ProfileRow> rows;  ///< in the order of the step
  std::vector<ProfileRow> host;  ///< work between ops that has a name
  double step = 0;
  double step_deviation = 0;
  double ops = 0;   ///< of all ops together; on `cuda` of all work of the device, streams one after another
  double gaps = 0;  ///< neither in an op nor in named host work; on `cuda` the device does nothing at all
  int steps = 0;
  int short_steps = 0;  ///< left out: of less than a whole batch
  std::size_t dropped_activities = 0;
};

/// Throws Error for a profile without a step.
ProfileSummary summarize(const Profile& profile);

/// The rows that take most of the step, the others in one, and below them the sums by op, host work and gaps.
/// With ceilings also the share of the roofline: the time that the op cannot go below over the one it took.
std::string to_table(const ProfileSummary& summary, const std::optional<Ceilings>& ceilings);
nlohmann::ordered_json to_json(const ProfileSummary& summary, const std::optional<Ceilings>& ceilings);

}  // namespace gnc
