#include "kernels/sgd_step.h"

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {

void execute(DeviceBackend& device, const SgdStep& op) {
  require_dtype(op.kName, "values", op.values, DType::kF32);
  kernels::sgd_step({.values = pointer<float>(op.values),
                     .gradients = pointer<float>(op.gradients),
                     .momentum_buffer = pointer<float>(op.momentum_buffer),
                     .bf16_values = pointer<kernels::Bf16>(op.bf16_values),
                     .losses = pointer<float>(op.losses),
                     .non_finite = pointer<std::int32_t>(op.non_finite),
                     .values_run_stride = op.values.run_stride(),
                     .gradients_run_stride = op.gradients.run_stride(),
                     .momentum_buffer_run_stride = op.momentum_buffer.run_stride(),
                     .bf16_values_run_stride = op.bf16_values.run_stride(),
                     .losses_run_stride = op.losses.run_stride(),
                     .non_finite_run_stride = op.non_finite.run_stride(),
                     .samples = op.losses ? op.losses.shape()[0] : 0,
                     .elements = op.values.shape().elements(),
                     .runs = op.values.runs(),
                     .learning_rate = op.learning_rate,
                     .momentum = op.momentum,
                     .weight_decay = op.weight_decay,
                     .is_nesterov = op.momentum_kind == MomentumKind::kNesterov},
                    device.stream());
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
