#include "engine/backends/device/device_backend.h"

namespace gnc {
inline namespace KERNEL_TARGET {

void* DeviceBackend::grown(Buffer& buffer, std::size_t bytes) {
  if (buffer.bytes() < bytes) {
    workspace_moved();  // before: what follows may throw
    buffer = Buffer();  // first give back, then take: never both at once
    buffer = Buffer(*memory_, bytes);
  }
  return buffer.data();
}

int* DeviceBackend::tickets(int count) {
  const std::size_t bytes = sizeof(int) * static_cast<std::size_t>(count);
  const bool are_new = tickets_.bytes() < bytes;
  void* const data = grown(tickets_, bytes);
  if (are_new) memory_->fill_zero(data, tickets_.bytes());
  return static_cast<int*>(data);
}

bool DeviceBackend::run_in_library(const Conv2dForward&, const std::function<void()>&) { return false; }
bool DeviceBackend::run_in_library(const Conv2dBackwardInput&, const std::function<void()>&) { return false; }
bool DeviceBackend::run_in_library(const Conv2dBackwardWeights&, const std::function<void()>&) {
  return false;
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
