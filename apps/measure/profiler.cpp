#include "apps/measure/profiler.h"

#include <utility>

namespace gnc {

int Profiler::name_index(std::string_view name) {
  const auto found = names_.find(name);
  if (found != names_.end()) return found->second;
  const int index = static_cast<int>(profile_.names.size());
  profile_.names.emplace_back(name);
  names_.emplace(name, index);
  return index;
}

void Profiler::stop_device() {
  if (!trace_) return;
  std::int64_t begin = 0, end = 0;
  for (const ProfileEvent& event : profile_.events) {
    if (event.kind != RangeKind::kStep || event.step >= profile_.steps) continue;
    if (event.step == 0) begin = event.begin;
    end = event.end;
  }
  DeviceRecord record = trace_->stop(begin, end);
  profile_.device = std::move(record.activities);
  profile_.dropped_activities = record.dropped;
  trace_.reset();
}

void Profiler::step_of(const StepKey& key) {
  if (whole_batch_ == 0) whole_batch_ = key.samples;
  is_short_ = key.samples < whole_batch_;
}

void Profiler::add_cost(std::string_view op, const OpCost& cost) {
  for (Profile::Cost& known : profile_.costs) {
    if (known.layer != layer_.path() || known.op != op) continue;
    ++known.calls;
    known.cost.flops += cost.flops;
    known.cost.bytes += cost.bytes;
    known.cost.activation_bytes += cost.activation_bytes;
    return;
  }
  profile_.costs.push_back({.layer = layer_.path(), .op = std::string(op), .calls = 1, .cost = cost});
}

void Profiler::begin(RangeKind kind, std::string_view name) {
  layer_.begin(kind, name);
  if (kind == RangeKind::kStep) {
    is_recording_ = steps_begun_ >= options_.skipped && profile_.steps < options_.steps;
    is_first_step_ = steps_begun_ == 0;
    is_short_ = false;
    ++steps_begun_;
  }
  open_.push_back(is_recording_ ? static_cast<int>(profile_.events.size()) : -1);
  if (!is_recording_) return;
  profile_.events.push_back({.kind = kind,
                             .name = name_index(name),
                             .layer = name_index(layer_.path()),
                             .step = profile_.steps,
                             .begin = nanoseconds_now()});
}

void Profiler::end() {
  layer_.end();
  const int place = open_.back();
  open_.pop_back();
  if (open_.empty()) is_first_step_ = false;
  if (place < 0) return;
  const auto index = static_cast<std::size_t>(place);
  ProfileEvent& event = profile_.events[index];
  event.end = nanoseconds_now();
  if (event.kind != RangeKind::kStep) return;
  is_recording_ = false;
  if (is_short_) {
    ++profile_.short_steps;
    profile_.events.resize(index);
    return;
  }
  ++profile_.steps;
  if (profile_.steps == options_.steps) stop_device();
}

}  // namespace gnc
