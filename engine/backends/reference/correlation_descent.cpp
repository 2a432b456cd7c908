#include "engine/ops/correlation_descent.h"

#include "engine/backends/reference/reference_ops.h"

namespace gnc {

void execute(ReferenceBackend&, const CorrelationDescent& op) {
  throw BackendError(fmt::format("{}: reference has it not yet", op.kName));
}

}  // namespace gnc
