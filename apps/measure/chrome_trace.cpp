#include "apps/measure/chrome_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "engine/file.h"

namespace gnc {
namespace {

constexpr std::string_view category(RangeKind kind) {
  switch (kind) {
    case RangeKind::kStep:
      return "step";
    case RangeKind::kLayer:
      return "layer";
    case RangeKind::kOp:
      return "op";
    case RangeKind::kHost:
      return "host";
  }
  return "?";
}

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

/// The name of a thread or process, shown beside its track.
std::string metadata(std::string_view what, std::string_view name) {
  return fmt::format(R"({{"ph":"M","pid":1,"tid":1,"name":"{}","args":{{"name":"{}"}}}})", what, name);
}

/// Work of the device, a track a stream, from the first recorded step on.
std::string device_events(const std::vector<DeviceActivity>& activities, std::int64_t start) {
  std::string text = R"({"ph":"M","pid":2,"name":"process_name","args":{"name":"GPU"}})";
  for (const DeviceActivity& activity : activities) {
    if (activity.begin < start) continue;
    const std::int64_t begin = activity.begin - start, duration = activity.end - activity.begin;
    fmt::format_to(std::back_inserter(text),
                   ",\n{{\"ph\":\"X\",\"pid\":2,\"tid\":{},\"cat\":\"device\",\"name\":{},\"ts\":{}.{:03},"
                   "\"dur\":{}.{:03},\"args\":{{\"layer\":{},\"op\":{},\"bytes\":{:.0f}}}}}",
                   activity.stream, quoted(activity.name), begin / 1000, begin % 1000, duration / 1000,
                   duration % 1000, quoted(activity.layer), quoted(activity.op), activity.bytes);
  }
  return text;
}

}  // namespace

void write_chrome_trace(const std::filesystem::path& path, const Profile& profile,
                        const nlohmann::ordered_json& facts) {
  std::vector<std::string> names;
  for (const std::string& name : profile.names) names.push_back(quoted(name));
  const auto name_of = [&](int index) -> const std::string& {
    return names[static_cast<std::size_t>(index)];
  };
  std::string text = "{\"displayTimeUnit\":\"ms\",\n\"otherData\":" + facts.dump() + ",\n\"traceEvents\":[\n";
  text += metadata("process_name", "gnc train") + ",\n" + metadata("thread_name", "host");
  const std::int64_t start = profile.events.empty() ? 0 : profile.events.front().begin;
  for (const ProfileEvent& event : profile.events) {
    if (event.step >= profile.steps) break;  // of a step that did not come to its end
    const std::int64_t begin = event.begin - start, duration = event.end - event.begin;
    fmt::format_to(
        std::back_inserter(text),
        ",\n{{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"cat\":\"{}\",\"name\":{},\"ts\":{}.{:03},\"dur\":{}.{:03},"
        "\"args\":{{\"step\":{},\"layer\":{}",
        category(event.kind), name_of(event.name), begin / 1000, begin % 1000, duration / 1000,
        duration % 1000, event.step, name_of(event.layer));
    if (event.kind == RangeKind::kOp) {
      const auto nanoseconds = static_cast<double>(std::max<std::int64_t>(duration, 1));
      fmt::format_to(
          std::back_inserter(text), ",\"flops\":{:.0f},\"bytes\":{:.0f},\"GFLOP/s\":{:.3f},\"GB/s\":{:.3f}",
          event.cost.flops, event.cost.bytes, event.cost.flops / nanoseconds, event.cost.bytes / nanoseconds);
    }
    text += "}}";
  }
  if (!profile.device.empty()) text += ",\n" + device_events(profile.device, start);
  text += "\n]}\n";
  write_atomically(path, text);
}

}  // namespace gnc
