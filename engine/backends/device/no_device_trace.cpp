/// The answers of a build without CUDA, or without CUPTI's headers.

#include "engine/backends/device/device_trace.h"

namespace gnc {

class DeviceTrace::Recorder {};

DeviceTrace::DeviceTrace(Backend& backend) {
  throw BackendError(fmt::format(
      "{}: this gnc was built without CUPTI, which traces a GPU; it is in the CUDA toolkit", backend.name()));
}

DeviceTrace::~DeviceTrace() = default;

void DeviceTrace::begin_label(std::string_view, std::string_view) {}
void DeviceTrace::end_label() {}
DeviceRecord DeviceTrace::stop(std::int64_t, std::int64_t) { return {}; }

}  // namespace gnc
