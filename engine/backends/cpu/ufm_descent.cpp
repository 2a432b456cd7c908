#include "engine/ops/ufm_descent.h"

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {

void execute(CpuBackend&, const UfmDescent& op) {
  throw BackendError(fmt::format("{}: cpu has it not yet", op.kName));
}

}  // namespace gnc
