#pragma once
/// Where the time of training steps goes, op by op.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "apps/measure/stopwatch.h"
#include "engine/backends/device/device_trace.h"
#include "engine/layer_path.h"
#include "engine/observing_backend.h"
#include "engine/ops/op_cost.h"

namespace gnc {

/// A stretch of time on the host; those of a profile nest.
struct ProfileEvent {
  RangeKind kind = RangeKind::kOp;
  int name = 0;            ///< place in Profile::names
  int layer = 0;           ///< likewise: the whole path of the layer around it
  int step = 0;            ///< of those recorded, from 0
  std::int64_t begin = 0;  ///< nanoseconds by nanoseconds_now()
  std::int64_t end = 0;
  OpCost cost = {};  ///< of an op
};

/// What was recorded, in the order in which it began.
struct Profile {
  std::vector<std::string> names;
  std::vector<ProfileEvent> events;
  int steps = 0;
  int short_steps = 0;                 ///< that came between and had less than a whole batch: left out
  std::size_t dropped_activities = 0;  ///< of the device, which CUPTI had no room for
  /// On `cuda`: what the device did. Steps are replayed there as graphs, so that the ops of `events` are the
  /// host's queueing, if they are there at all; what they cost is in `costs`.
  std::vector<DeviceActivity> device;
  struct Cost {
    std::string layer;
    std::string op;
    int calls = 0;
    OpCost cost;
  };
  std::vector<Cost> costs;  ///< of one step, by layer and op in the order of the step
};

/// Which steps are recorded: of those with as many pictures as the first, which is a whole batch.
struct ProfilerOptions {
  int skipped = 2;  ///< first steps, which warm up
  int steps = 20;
};

/// Observes a backend (engine/observing_backend.h). What is not in a recorded step costs a branch.
class Profiler {
 public:
  explicit Profiler(const ProfilerOptions& options) : options_(options) {
    static_cast<void>(name_index(""));  // 0: no layer
  }

  /// Traces the device too, from now on. Throws BackendError where it cannot be traced.
  void trace_device(Backend& backend) { trace_.emplace(backend); }
  /// Ends that, as the last recorded step does; then the profile has what began in the recorded steps.
  void stop_device();

  void step_of(const StepKey& key);

  void begin(RangeKind kind, std::string_view name);
  void end();

  template <class Op>
  void run(Backend& backend, const Op& op) {
    if (trace_) return run_traced(backend, op);
    if (!is_recording_) return backend.run(op);
    ProfileEvent event{.kind = RangeKind::kOp,
                       .name = name_index(Op::kName),
                       .layer = name_index(layer_.path()),
                       .step = profile_.steps,
                       .cost = cost_of(op)};
    event.begin = nanoseconds_now();
    backend.run(op);
    event.end = nanoseconds_now();
    profile_.events.push_back(event);
  }

  const Profile& profile() const { return profile_; }

 private:
  /// Views find strings.
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  int name_index(std::string_view name);
  void add_cost(std::string_view op, const OpCost& cost);
  /// Labels what the op queues: in every step, as any of them may be the one that is recorded as a graph.
  template <class Op>
  void run_traced(Backend& backend, const Op& op) {
    if (is_first_step_) add_cost(Op::kName, cost_of(op));
    trace_->begin_label(layer_.path(), Op::kName);
    backend.run(op);
    trace_->end_label();
  }

  ProfilerOptions options_;
  Profile profile_;
  std::unordered_map<std::string, int, Hash, std::equal_to<>> names_;
  LayerPath layer_;
  std::vector<int> open_;  // places of the events that have begun; -1: not recorded
  std::optional<DeviceTrace> trace_;
  int steps_begun_ = 0;
  int whole_batch_ = 0;         // pictures of the first step
  bool is_first_step_ = false;  // within its range
  bool is_recording_ = false;
  bool is_short_ = false;  // the present step has less than a whole batch
};

using ProfilingBackend = ObservingBackend<Profiler>;

}  // namespace gnc
