#include "engine/ops/gaussian_channel.h"

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {

void execute(CpuBackend&, const GaussianChannel& op) {
  throw BackendError(fmt::format("{}: cpu has it not yet", op.kName));
}

}  // namespace gnc
