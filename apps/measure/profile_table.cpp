#include "apps/measure/profile_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "apps/table.h"

namespace gnc {
namespace {

constexpr std::size_t kMostRows = 40;

/// Sums of one layer and op, step by step.
struct Series {
  ProfileRow row;
  std::vector<double> seconds;
};

/// Rows in the order of their first events.
class Collected {
 public:
  explicit Collected(int steps) : steps_(static_cast<std::size_t>(steps)) {}

  void add(const Profile& profile, const ProfileEvent& event) {
    const auto [place, is_new] = places_.try_emplace({event.layer, event.name}, series_.size());
    if (is_new)
      series_.push_back({.row = {.layer = profile.names[static_cast<std::size_t>(event.layer)],
                                 .op = profile.names[static_cast<std::size_t>(event.name)]},
                         .seconds = std::vector<double>(steps_)});
    Series& series = series_[place->second];
    series.seconds[static_cast<std::size_t>(event.step)] +=
        1e-9 * static_cast<double>(event.end - event.begin);
    if (event.step != 0) return;  // steps are alike
    ++series.row.calls;
    series.row.flops += event.cost.flops;
    series.row.bytes += event.cost.bytes;
  }

  std::vector<ProfileRow> rows() const {
    std::vector<ProfileRow> rows;
    for (const Series& series : series_) {
      rows.push_back(series.row);
      rows.back().seconds = median_of(series.seconds);
      rows.back().deviation = deviation_of(series.seconds);
    }
    return rows;
  }
  /// Of all rows, step by step.
  std::vector<double> sums() const {
    std::vector<double> sums(steps_);
    for (const Series& series : series_)
      for (std::size_t step = 0; step < steps_; ++step) sums[step] += series.seconds[step];
    return sums;
  }

 private:
  std::size_t steps_;
  std::map<std::pair<int, int>, std::size_t> places_;
  std::vector<Series> series_;
};

std::string milliseconds(double seconds) { return fmt::format("{:.3f}", 1e3 * seconds); }

/// Rows of a table, all with the same columns.
class Printer {
 public:
  Printer(double step, const std::optional<Ceilings>& ceilings)
      : step_(step), ceilings_(ceilings), table_(columns(ceilings.has_value())) {}

  void add(const ProfileRow& row) {
    const bool has_rates = row.seconds > 0;
    std::vector<std::string> cells = {
        row.layer,
        row.op,
        row.calls > 0 ? std::to_string(row.calls) : "",
        milliseconds(row.seconds),
        milliseconds(row.deviation),
        fmt::format("{:.1f}", 100 * row.seconds / step_),
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
    std::vector<TableColumn> all = {{"layer", Align::kLeft}, {"op", Align::kLeft}, {"calls"}, {"ms"}, {"MAD"},
                                    {"% of step"},           {"GFLOP/s"},          {"GB/s"}};
    if (has_ceilings) all.push_back({"% of roofline"});
    return all;
  }

  double step_;
  std::optional<Ceilings> ceilings_;
  TextTable table_;
};

/// Sums of rows that have one thing in common.
void accumulate(ProfileRow& sum, const ProfileRow& row) {
  sum.calls += row.calls;
  sum.seconds += row.seconds;
  sum.deviation += row.deviation;
  sum.flops += row.flops;
  sum.bytes += row.bytes;
}

/// Rows of what the device did in the recorded steps, with the costs of the ops that it belongs to; work
/// without a label has a row by its name.
class CollectedDevice {
 public:
  CollectedDevice(const Profile& profile, const std::vector<const ProfileEvent*>& steps)
      : sums_(steps.size()) {
    for (const Profile::Cost& cost : profile.costs)
      series_of({.layer = cost.layer,
                 .op = cost.op,
                 .calls = cost.calls,
                 .flops = cost.cost.flops,
                 .bytes = cost.cost.bytes});
    for (const DeviceActivity& activity : profile.device) {
      const auto step = std::ranges::find_if(steps, [&](const ProfileEvent* event) {
        return activity.begin >= event->begin && activity.begin < event->end;
      });
      if (step == steps.end()) continue;
      const auto place = static_cast<std::size_t>(step - steps.begin());
      const double seconds = 1e-9 * static_cast<double>(activity.end - activity.begin);
      const bool has_label = !activity.op.empty();
      series_of(
          {.layer = has_label ? activity.layer : "device", .op = has_label ? activity.op : activity.name})
          .seconds[place] += seconds;
      sums_[place] += seconds;
    }
  }

  std::vector<ProfileRow> rows() const {
    std::vector<ProfileRow> rows;
    for (const Series& series : series_) {
      rows.push_back(series.row);
      rows.back().seconds = median_of(series.seconds);
      rows.back().deviation = deviation_of(series.seconds);
    }
    return rows;
  }
  const std::vector<double>& sums() const { return sums_; }

 private:
  Series& series_of(const ProfileRow& row) {
    const auto [place, is_new] = places_.try_emplace({row.layer, row.op}, series_.size());
    if (is_new) series_.push_back({.row = row, .seconds = std::vector<double>(sums_.size())});
    return series_[place->second];
  }

  std::vector<double> sums_;
  std::map<std::pair<std::string, std::string>, std::size_t> places_;
  std::vector<Series> series_;
};

/// Seconds of a step in which the device does anything: streams may overlap.
double busy_seconds(const std::vector<DeviceActivity>& activities, const ProfileEvent& step) {
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
  return 1e-9 * static_cast<double>(busy);
}

std::vector<ProfileRow> rows_by_op(const std::vector<ProfileRow>& rows) {
  std::vector<ProfileRow> sums;
  for (const ProfileRow& row : rows) {
    auto found = std::ranges::find(sums, row.op, &ProfileRow::op);
    if (found == sums.end()) found = sums.insert(found, ProfileRow{.layer = "all", .op = row.op});
    accumulate(*found, row);
  }
  std::ranges::stable_sort(sums, std::ranges::greater(), &ProfileRow::seconds);
  return sums;
}

nlohmann::ordered_json json_of(const ProfileRow& row, const std::optional<Ceilings>& ceilings) {
  nlohmann::ordered_json json = {{"layer", row.layer},     {"op", row.op},         {"calls", row.calls},
                                 {"seconds", row.seconds}, {"mad", row.deviation}, {"flops", row.flops},
                                 {"bytes", row.bytes}};
  if (ceilings) json["floor_seconds"] = ceilings->floor_seconds(row.flops, row.bytes);
  return json;
}

}  // namespace

ProfileSummary summarize(const Profile& profile) {
  require<Error>(profile.steps > 0, "the profile has no whole step");
  const auto steps = static_cast<std::size_t>(profile.steps);
  Collected ops(profile.steps), host(profile.steps);
  std::vector<double> step_seconds(steps);
  std::vector<const ProfileEvent*> step_events;
  for (const ProfileEvent& event : profile.events) {
    if (event.step >= profile.steps) break;
    if (event.kind == RangeKind::kOp) ops.add(profile, event);
    if (event.kind == RangeKind::kHost) host.add(profile, event);
    if (event.kind != RangeKind::kStep) continue;
    step_seconds[static_cast<std::size_t>(event.step)] = 1e-9 * static_cast<double>(event.end - event.begin);
    step_events.push_back(&event);
  }
  if (!profile.device.empty()) {
    // The host waits for the device within its own work: only the device's times add up.
    const CollectedDevice device(profile, step_events);
    std::vector<double> idle(steps);
    for (std::size_t i = 0; i < steps; ++i)
      idle[i] = step_seconds[i] - busy_seconds(profile.device, *step_events[i]);
    return {.rows = device.rows(),
            .host = {},
            .step = median_of(step_seconds),
            .step_deviation = deviation_of(step_seconds),
            .ops = median_of(device.sums()),
            .gaps = median_of(idle),
            .steps = profile.steps,
            .short_steps = profile.short_steps,
            .dropped_activities = profile.dropped_activities};
  }
  const std::vector<double> op_sums = ops.sums(), host_sums = host.sums();
  std::vector<double> gaps(steps);
  for (std::size_t i = 0; i < steps; ++i) gaps[i] = step_seconds[i] - op_sums[i] - host_sums[i];
  return {.rows = ops.rows(),
          .host = host.rows(),
          .step = median_of(step_seconds),
          .step_deviation = deviation_of(step_seconds),
          .ops = median_of(op_sums),
          .gaps = median_of(gaps),
          .steps = profile.steps,
          .short_steps = profile.short_steps,
          .dropped_activities = profile.dropped_activities};
}

std::string to_table(const ProfileSummary& summary, const std::optional<Ceilings>& ceilings) {
  std::vector<double> times;
  for (const ProfileRow& row : summary.rows) times.push_back(row.seconds);
  std::ranges::sort(times, std::ranges::greater());
  const double least = times.size() > kMostRows ? times[kMostRows - 1] : 0;
  Printer printer(summary.step, ceilings);
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
    printer.add(others);
  }
  printer.add_rule();
  for (const ProfileRow& row : rows_by_op(summary.rows)) printer.add(row);
  printer.add_rule();
  for (const ProfileRow& row : summary.host)
    printer.add({.layer = "host", .op = row.op, .seconds = row.seconds, .deviation = row.deviation});
  printer.add({.layer = "gaps", .seconds = summary.gaps});
  printer.add({.layer = "step", .seconds = summary.step, .deviation = summary.step_deviation});
  std::string text = printer.to_string();
  if (summary.short_steps > 0)
    text += fmt::format("left out: {} of less than a whole batch\n",
                        summary.short_steps == 1 ? "1 step" : fmt::format("{} steps", summary.short_steps));
  if (summary.dropped_activities > 0)
    text += fmt::format("CUPTI dropped {} records: times on the device are too small, gaps too large\n",
                        summary.dropped_activities);
  if (ceilings)
    text += fmt::format(
        "ceilings measured in this process: copy {:.1f} GB/s, matrix product {:.1f} GFLOP/s; above 100 % "
        "where operands "
        "come from caches\n",
        1e-9 * ceilings->bytes_per_second, 1e-9 * ceilings->flops_per_second);
  return text;
}

nlohmann::ordered_json to_json(const ProfileSummary& summary, const std::optional<Ceilings>& ceilings) {
  nlohmann::ordered_json json = {{"steps", summary.steps},
                                 {"step_seconds", summary.step},
                                 {"step_mad", summary.step_deviation},
                                 {"op_seconds", summary.ops},
                                 {"gap_seconds", summary.gaps},
                                 {"short_steps", summary.short_steps},
                                 {"dropped_activities", summary.dropped_activities}};
  if (ceilings)
    json["ceilings"] = {{"bytes_per_second", ceilings->bytes_per_second},
                        {"flops_per_second", ceilings->flops_per_second}};
  for (const ProfileRow& row : summary.rows) json["rows"].push_back(json_of(row, ceilings));
  for (const ProfileRow& row : summary.host) json["host"].push_back(json_of(row, std::nullopt));
  return json;
}

}  // namespace gnc
