#include "engine/backends/device/device_backend.h"

namespace gnc {
inline namespace KERNEL_TARGET {

void* DeviceBackend::workspace(std::size_t bytes) {
  if (workspace_.bytes() < bytes) {
    workspace_ = Buffer();  // first give back, then take: never both at once
    workspace_ = Buffer(*memory_, bytes);
    workspace_moved();
  }
  return workspace_.data();
}

bool DeviceBackend::run_in_library(const Conv2dForward&, const std::function<void()>&) { return false; }
bool DeviceBackend::run_in_library(const Conv2dBackwardInput&, const std::function<void()>&) { return false; }
bool DeviceBackend::run_in_library(const Conv2dBackwardWeights&, const std::function<void()>&) {
  return false;
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
