#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {
namespace {

bool has_finite_losses(const SgdStep& op, int run) {
  if (!op.losses) return true;
  const LogicalArray losses(op.losses, run);
  return std::ranges::all_of(losses.values(), [](double loss) { return std::isfinite(loss); });
}

}  // namespace

void execute(ReferenceBackend&, const SgdStep& op) {
  const double learning_rate = op.learning_rate, momentum = op.momentum, weight_decay = op.weight_decay;
  for (int run = 0; run < op.values.runs(); ++run) {
    if (!has_finite_losses(op, run)) continue;
    const LogicalArray gradients(op.gradients, run);
    LogicalArray values(op.values, run), buffer(op.momentum_buffer, run);
    // As it will be stored: what is beyond float32 is infinite there.
    const auto is_finite = [&](double x) {
      return op.values.dtype() == DType::kF32 ? std::isfinite(static_cast<float>(x)) : std::isfinite(x);
    };
    for (std::size_t i = 0; i < values.values().size(); ++i) {
      double& value = values.values()[i];
      double& velocity = buffer.values()[i];
      const double step = gradients.values()[i] + weight_decay * value;
      const double new_velocity = momentum * velocity + step;
      const double new_value = value - learning_rate * (op.momentum_kind == MomentumKind::kNesterov
                                                            ? step + momentum * new_velocity
                                                            : new_velocity);
      if (op.non_finite && !(is_finite(new_velocity) && is_finite(new_value))) {
        *op.non_finite.data<std::int32_t>(run) = 1;
        continue;
      }
      velocity = new_velocity;
      value = new_value;
    }
    values.store(op.values, run);
    buffer.store(op.momentum_buffer, run);
    // From the values as they were stored, so that the copy is theirs and not that of numbers nobody kept.
    if (op.bf16_values) LogicalArray(op.values, run).store(op.bf16_values, run);
  }
}

}  // namespace gnc
