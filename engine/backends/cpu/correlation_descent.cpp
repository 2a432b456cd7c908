#include "engine/ops/correlation_descent.h"

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {

void execute(CpuBackend&, const CorrelationDescent& op) {
  throw BackendError(fmt::format("{}: cpu has it not yet", op.kName));
}

}  // namespace gnc
