#pragma once
/// A profile as a table: where the step's time goes, and how far that is from what the device can do.

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/measure/ceilings.h"
#include "apps/measure/profiler.h"

namespace gnc {

/// Ops of one kind in one layer, or what else a step consists of; sums over a step.
struct ProfileRow {
  std::string layer = {};
  std::string op = {};
  int calls = 0;
  std::vector<std::int64_t> steps = {};  ///< nanoseconds in each step
  double seconds = 0;                    ///< median over the steps
  double deviation = 0;                  ///< median absolute deviation, seconds
  double share = 0;                      ///< of the time of all steps together: shares add up, medians do not
  double flops = 0;
  double bytes = 0;
};

/// A profile's steps, summed up. The shares of `ops`, `host`, `gaps` and `overlap` add up to 1, those of
/// `rows` to that of `ops`.
struct ProfileSummary {
  std::vector<ProfileRow> rows;  ///< in the order of the step
  std::vector<ProfileRow> host;  ///< work between ops that has a name
  ProfileRow ops;   ///< all together; on `cuda` all work of the device, streams one after another
  ProfileRow gaps;  ///< neither in an op nor in named host work; on `cuda` the device does nothing at all
  /// On `cuda`, at most 0 but for work that reaches into a step from before it: what streams did beside each
  /// other, which `ops` counts twice.
  std::optional<ProfileRow> overlap;
  ProfileRow step;
  int steps = 0;
  int short_steps = 0;  ///< left out: of less than a whole batch
  std::size_t dropped_activities = 0;
};

/// Throws Error for a profile without a step.
ProfileSummary summarize(const Profile& profile);

/// The rows that take most of the step, the others in one, and below them the sums by op, host work and gaps:
/// medians over the steps, and shares of all steps together, which add up. With ceilings also the share of
/// the roofline: the time that the op cannot go below over its median.
std::string to_table(const ProfileSummary& summary, const std::optional<Ceilings>& ceilings);
nlohmann::ordered_json to_json(const ProfileSummary& summary, const std::optional<Ceilings>& ceilings);

}  // namespace gnc
