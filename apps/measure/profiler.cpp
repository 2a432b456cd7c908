#include "apps/measure/profiler.h"

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
  if (trace_) profile_.device = trace_->stop();
  trace_.reset();
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
  if (place < 0) return;
  ProfileEvent& event = profile_.events[static_cast<std::size_t>(place)];
  event.end = nanoseconds_now();
  if (event.kind != RangeKind::kStep) return;
  ++profile_.steps;
  is_recording_ = false;
}

}  // namespace gnc
