#include <cstddef>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {

void execute(ReferenceBackend&, const SgdStep& op) {
  const double learning_rate = op.learning_rate, momentum = op.momentum, weight_decay = op.weight_decay;
  for (int run = 0; run < op.values.runs(); ++run) {
    const LogicalArray gradients(op.gradients, run);
    LogicalArray values(op.values, run), buffer(op.momentum_buffer, run);
    for (std::size_t i = 0; i < values.values().size(); ++i) {
      double& value = values.values()[i];
      double& velocity = buffer.values()[i];
      const double step = gradients.values()[i] + weight_decay * value;
      velocity = momentum * velocity + step;
      value -= learning_rate *
               (op.momentum_kind == MomentumKind::kNesterov ? step + momentum * velocity : velocity);
    }
    values.store(op.values, run);
    buffer.store(op.momentum_buffer, run);
    // From the values as they were stored, so that the copy is theirs and not that of numbers nobody kept.
    if (op.bf16_values) LogicalArray(op.values, run).store(op.bf16_values, run);
  }
}

}  // namespace gnc
