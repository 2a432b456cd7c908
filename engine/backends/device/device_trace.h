#pragma once
/// What a GPU does and when, from CUPTI's activity records.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backend.h"

namespace gnc {

enum class DeviceWork : std::uint8_t { kKernel, kCopy, kFill };

/// A stretch of work on the device.
struct DeviceActivity {
  DeviceWork work = DeviceWork::kKernel;
  std::string name;   ///< the kernel's, demangled as far as it goes; "copy" or "fill"
  std::string layer;  ///< as labelled when it was queued, or when the graph that it is a node of was recorded
  std::string op;
  std::uint32_t stream = 0;
  std::int64_t begin = 0;  ///< nanoseconds of std::chrono::steady_clock, as host times are
  std::int64_t end = 0;
  double bytes = 0;  ///< of copies and fills
};

/// What a trace has recorded.
struct DeviceRecord {
  std::vector<DeviceActivity> activities;  ///< in the order of the beginnings
  std::size_t dropped = 0;                 ///< how many more there were, anywhere, that CUPTI had no room for
};

/// Records from its construction to stop(). One at a time in a program. CUPTI is opened by the loader when
/// the first one is made.
class DeviceTrace {
 public:
  /// Throws BackendError where `backend` is not cuda, CUPTI is not installed (with its name), or it refuses
  /// (another profiler is attached).
  explicit DeviceTrace(Backend& backend);
  DeviceTrace(const DeviceTrace&) = delete;
  DeviceTrace& operator=(const DeviceTrace&) = delete;
  ~DeviceTrace();

  /// What is queued, or recorded into a graph, until end_label() belongs to that op of that layer.
  void begin_label(std::string_view layer, std::string_view op);
  void end_label();
  /// Waits for the device, ends the recording and returns what began from `begin` until before `end`,
  /// nanoseconds of std::chrono::steady_clock.
  DeviceRecord stop(std::int64_t begin, std::int64_t end);

 private:
  class Recorder;
  std::unique_ptr<Recorder> recorder_;
};

}  // namespace gnc
