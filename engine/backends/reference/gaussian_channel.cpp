#include "engine/ops/gaussian_channel.h"

#include "engine/backends/reference/reference_ops.h"

namespace gnc {

void execute(ReferenceBackend&, const GaussianChannel& op) {
  throw BackendError(fmt::format("{}: reference has it not yet", op.kName));
}

}  // namespace gnc
