#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {

void execute(DeviceBackend&, const UfmDescent& op) {
  throw BackendError(fmt::format("{}: the kernels have it not yet", op.kName));
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
