#include "apps/measure/profile_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "apps/table.h"

namespace gnc {
namespace {

constexpr std::size_t kMostRows = 40;

std::int64_t total_of(const ProfileRow& row) {
  return std::accumulate(row.steps.begin(), row.steps.end(), std::int64_t{0});
}

/// Median, deviation and share of what is in `row.steps`; `all` nanoseconds are all steps.
ProfileRow with_times(ProfileRow row, std::int64_t all) {
  std::vector<double> seconds;
  for (const std::int64_t nanoseconds : row.steps) seconds.push_back(1e-9 * static_cast<double>(nanoseconds));
  row.seconds = median_of(seconds);
  row.deviation = deviation_of(seconds);
  row.share = static_cast<double>(total_of(row)) / static_cast<double>(all);
  return row;
}

/// Adds all but the times over the steps, which with_times finds.
void accumulate(ProfileRow& sum, const ProfileRow& row) {
  sum.calls += row.calls;
  sum.flops += row.flops;
  sum.bytes += row.bytes;
  sum.steps.resize(row.steps.size());
  std::ranges::transform(sum.steps, row.steps, sum.steps.begin(), std::plus());
}

/// Rows in the order in which they are first asked for.
class Collected {
 public:
  explicit Collected(std::size_t steps) : steps_(steps) {}

  ProfileRow& row_of(const std::string& layer, const std::string& op) {
    const auto [place, is_new] = places_.try_emplace({layer, op}, rows_.size());
    if (is_new) rows_.push_back({.layer = layer, .op = op, .steps = std::vector<std::int64_t>(steps_)});
    return rows_[place->second];
  }

  std::vector<ProfileRow> rows(std::int64_t all) const {
    std::vector<ProfileRow> rows;
    for (const ProfileRow& row : rows_) rows.push_back(with_times(row, all));
    return rows;
  }
  /// Nanoseconds of all rows, step by step.
  std::vector<std::int64_t> sums() const {
    ProfileRow sum{.steps = std::vector<std::int64_t>(steps_)};
    for (const ProfileRow& row : rows_) accumulate(sum, row);
    return sum.steps;
  }

 private:
  std::size_t steps_;
  std::map<std::pair<std::string, std::string>, std::size_t> places_;
  std::vector<ProfileRow> rows_;
};

void add_event(Collected& rows, const Profile& profile, const ProfileEvent& event) {
  ProfileRow& row = rows.row_of(profile.names[static_cast<std::size_t>(event.layer)],
                                profile.names[static_cast<std::size_t>(event.name)]);
  row.steps[static_cast<std::size_t>(event.step)] += event.end - event.begin;
  if (event.step != 0) return;  // steps are alike
  ++row.calls;
  row.flops += event.cost.flops;
  row.bytes += event.cost.bytes;
}

/// What the device began in the recorded steps, with the costs of the ops that it belongs to; work without a
/// label has a row by its name.
void add_device(Collected& rows, const Profile& profile, const std::vector<const ProfileEvent*>& steps) {
  for (const Profile::Cost& cost : profile.costs) {
    ProfileRow& row = rows.row_of(cost.layer, cost.op);
    row.calls = cost.calls;
    row.flops = cost.cost.flops;
    row.bytes = cost.cost.bytes;
  }
  for (const DeviceActivity& activity : profile.device) {
    const auto step = std::ranges::find_if(steps, [&](const ProfileEvent* event) {
      return activity.begin >= event->begin && activity.begin < event->end;
    });
    if (step == steps.end()) continue;
    const bool has_label = !activity.op.empty();
    ProfileRow& row =
        has_label ? rows.row_of(activity.layer, activity.op) : rows.row_of("device", activity.name);
    row.steps[static_cast<std::size_t>(step - steps.begin())] += activity.end - activity.begin;
  }
}

std::string milliseconds(double seconds) { return fmt::format("{:.3f}", 1e3 * seconds); }

/// Rows of a table, all with the same columns.
class Printer {
 public:
  explicit Printer(const std::optional<Ceilings>& ceilings)
      : ceilings_(ceilings), table_(columns(ceilings.has_value())) {}

  void add(const ProfileRow& row) {
    const bool has_rates = row.seconds > 0;
    std::vector<std::string> cells = {
        row.layer,
        row.op,
        row.calls > 0 ? std::to_string(row.calls) : "",
        milliseconds(row.seconds),
        milliseconds(row.deviation),
        fmt::format("{:.1f}", 100 * row.share),
        row.flops > 0 && has_rates ? fmt::format("{:.1f}", 1e-9 * row.flops / row.seconds) : "",
        row.bytes > 0 && has_rates ? fmt::format("{:.1f}", 1e-9 * row.bytes / row.seconds) : ""};
    if (ceilings_)
      cells.push_back(
          row.bytes > 0 && has_rates
              ? fmt::format("{:.0f}", 100 * ceilings_->floor_seconds(row.flops, row.bytes) / row.seconds)
              : "");
    table_.add_row(std::move(cells));
  }
  void add_rule() { table_.add_rule(); }
  std::string to_string() const { return table_.to_string(); }

 private:
  static std::vector<TableColumn> columns(bool has_ceilings) {
    std::vector<TableColumn> all = {
        {"layer", Align::kLeft}, {"op", Align::kLeft}, {"calls"}, {"median ms"}, {"MAD ms"},
        {"% of step"},           {"GFLOP/s"},          {"GB/s"}};
    if (has_ceilings) all.push_back({"% of roofline"});
    return all;
  }

  std::optional<Ceilings> ceilings_;
  TextTable table_;
};

/// Nanoseconds of a step in which the device does anything: streams may overlap.
std::int64_t busy_time(const std::vector<DeviceActivity>& activities, const ProfileEvent& step) {
  std::vector<std::pair<std::int64_t, std::int64_t>> stretches;
  for (const DeviceActivity& activity : activities) {
    const std::int64_t begin = std::max(activity.begin, step.begin), end = std::min(activity.end, step.end);
    if (begin < end) stretches.emplace_back(begin, end);
  }
  std::ranges::sort(stretches);
  std::int64_t busy = 0, covered = step.begin;
  for (const auto& [begin, end] : stretches) {
    busy += std::max<std::int64_t>(end - std::max(begin, covered), 0);
    covered = std::max(covered, end);
  }
  return busy;
}

std::vector<ProfileRow> rows_by_op(const std::vector<ProfileRow>& rows, std::int64_t all) {
  std::vector<ProfileRow> sums;
  for (const ProfileRow& row : rows) {
    auto found = std::ranges::find(sums, row.op, &ProfileRow::op);
    if (found == sums.end()) found = sums.insert(found, ProfileRow{.layer = "all", .op = row.op});
    accumulate(*found, row);
  }
  for (ProfileRow& sum : sums) sum = with_times(std::move(sum), all);
  std::ranges::stable_sort(sums, std::ranges::greater(), &ProfileRow::seconds);
  return sums;
}

nlohmann::ordered_json json_of(const ProfileRow& row, const std::optional<Ceilings>& ceilings) {
  nlohmann::ordered_json json = {{"layer", row.layer},     {"op", row.op},         {"calls", row.calls},
                                 {"seconds", row.seconds}, {"mad", row.deviation}, {"share", row.share},
                                 {"flops", row.flops},     {"bytes", row.bytes}};
  if (ceilings) json["floor_seconds"] = ceilings->floor_seconds(row.flops, row.bytes);
  return json;
}

}  // namespace

ProfileSummary summarize(const Profile& profile) {
  require<Error>(profile.steps > 0, "the profile has no whole step");
  const auto steps = static_cast<std::size_t>(profile.steps);
  const bool has_device = !profile.device.empty();
  Collected ops(steps), host(steps);
  ProfileRow step{.layer = "step", .steps = std::vector<std::int64_t>(steps)};
  std::vector<const ProfileEvent*> step_events;
  for (const ProfileEvent& event : profile.events) {
    if (event.step >= profile.steps) break;
    if (event.kind == RangeKind::kStep) {
      step.steps[static_cast<std::size_t>(event.step)] = event.end - event.begin;
      step_events.push_back(&event);
    }
    // The host waits for the device within its own work: only the device's times add up.
    if (has_device) continue;
    if (event.kind == RangeKind::kOp) add_event(ops, profile, event);
    if (event.kind == RangeKind::kHost) add_event(host, profile, event);
  }
  if (has_device) add_device(ops, profile, step_events);

  const std::int64_t all = total_of(step);
  const std::vector<std::int64_t> op_sums = ops.sums(), host_sums = host.sums();
  ProfileRow gaps{.layer = "gaps", .steps = std::vector<std::int64_t>(steps)};
  ProfileRow overlap{.layer = "overlap", .steps = std::vector<std::int64_t>(steps)};
  for (std::size_t i = 0; i < steps; ++i) {
    const std::int64_t rest = step.steps[i] - op_sums[i] - host_sums[i];
    gaps.steps[i] = has_device ? step.steps[i] - busy_time(profile.device, *step_events[i]) : rest;
    overlap.steps[i] = rest - gaps.steps[i];
  }
  ProfileSummary summary{.rows = ops.rows(all),
                         .host = host.rows(all),
                         .ops = with_times({.layer = "ops", .steps = op_sums}, all),
                         .gaps = with_times(gaps, all),
                         .overlap = {},
                         .step = with_times(step, all),
                         .steps = profile.steps,
                         .short_steps = profile.short_steps,
                         .dropped_activities = profile.dropped_activities};
  if (has_device) summary.overlap = with_times(overlap, all);
  return summary;
}

std::string to_table(const ProfileSummary& summary, const std::optional<Ceilings>& ceilings) {
  std::vector<double> times;
  for (const ProfileRow& row : summary.rows) times.push_back(row.seconds);
  std::ranges::sort(times, std::ranges::greater());
  const double least = times.size() > kMostRows ? times[kMostRows - 1] : 0;
  const std::int64_t all = total_of(summary.step);
  Printer printer(ceilings);
  ProfileRow others;
  int left_out = 0;
  for (const ProfileRow& row : summary.rows) {
    if (row.seconds >= least) {
      printer.add(row);
      continue;
    }
    ++left_out;
    accumulate(others, row);
  }
  if (left_out > 0) {
    others.layer = fmt::format("({} more)", left_out);
    printer.add(with_times(others, all));
  }
  printer.add_rule();
  for (const ProfileRow& row : rows_by_op(summary.rows, all)) printer.add(row);
  printer.add_rule();
  printer.add(summary.ops);
  for (ProfileRow row : summary.host) {
    row.layer = "host";
    row.calls = 0;
    printer.add(row);
  }
  if (summary.overlap) printer.add(*summary.overlap);
  printer.add(summary.gaps);
  printer.add(summary.step);
  std::string text = printer.to_string();
  text += fmt::format(
      "% of step: of the time of all {} recorded steps together; {} add up to 100\n"
      "median ms and MAD ms: over the steps; medians do not add up; rates are those of the medians\n",
      summary.steps, summary.overlap ? "ops, overlap of streams and gaps" : "ops, host and gaps");
  if (summary.short_steps > 0)
    text += fmt::format("left out: {} of less than a whole batch\n",
                        summary.short_steps == 1 ? "1 step" : fmt::format("{} steps", summary.short_steps));
  if (summary.dropped_activities > 0)
    text += fmt::format("CUPTI dropped {} records: times on the device are too small, gaps too large\n",
                        summary.dropped_activities);
  if (ceilings)
    text += fmt::format(
        "ceilings measured in this process: copy {:.1f} GB/s, matrix product {:.1f} GFLOP/s; above 100 % "
        "where operands come from caches\n",
        1e-9 * ceilings->bytes_per_second, 1e-9 * ceilings->flops_per_second);
  return text;
}

nlohmann::ordered_json to_json(const ProfileSummary& summary, const std::optional<Ceilings>& ceilings) {
  nlohmann::ordered_json json = {{"steps", summary.steps},
                                 {"step_seconds", summary.step.seconds},
                                 {"step_mad", summary.step.deviation},
                                 {"op_seconds", summary.ops.seconds},
                                 {"op_mad", summary.ops.deviation},
                                 {"op_share", summary.ops.share},
                                 {"gap_seconds", summary.gaps.seconds},
                                 {"gap_mad", summary.gaps.deviation},
                                 {"gap_share", summary.gaps.share},
                                 {"short_steps", summary.short_steps},
                                 {"dropped_activities", summary.dropped_activities}};
  if (summary.overlap) {
    json["overlap_seconds"] = summary.overlap->seconds;
    json["overlap_share"] = summary.overlap->share;
  }
  if (ceilings)
    json["ceilings"] = {{"bytes_per_second", ceilings->bytes_per_second},
                        {"flops_per_second", ceilings->flops_per_second}};
  for (const ProfileRow& row : summary.rows) json["rows"].push_back(json_of(row, ceilings));
  for (const ProfileRow& row : summary.host) json["host"].push_back(json_of(row, std::nullopt));
  return json;
}

}  // namespace gnc
