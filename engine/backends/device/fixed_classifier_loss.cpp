#include "kernels/fixed_classifier_loss.h"

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {

void execute(DeviceBackend& device, const FixedClassifierLoss& op) {
  require_dtype(op.kName, "x", op.x, DType::kF32);
  const kernels::FixedClassifierLossExtents extents{.batch = op.batch(),
                                                    .in_features = op.in_features(),
                                                    .feature_dim = op.feature_dim(),
                                                    .classes = op.num_classes(),
                                                    .runs = op.runs()};
  if (!kernels::fixed_classifier_loss_accepts(extents)) {
    void* const scratch = device.composite_workspace(FixedClassifierLossScratch::bytes(op));
    return run_composed(op, FixedClassifierLossScratch(op, scratch, device.memory()),
                        [&](const auto& part) { device.run(part); });
  }
  kernels::fixed_classifier_loss(
      {.x = pointer<float>(op.x),
       .weights = pointer<float>(op.weights),
       .bias = pointer<float>(op.bias),
       .frame = pointer<float>(op.frame),
       .labels = pointer<std::int32_t>(op.labels),
       .losses = pointer<float>(op.losses),
       .x_grad = pointer<float>(op.x_grad),
       .weights_grad = pointer<float>(op.weights_grad),
       .bias_grad = pointer<float>(op.bias_grad),
       .workspace = static_cast<float*>(device.workspace(kernels::fixed_classifier_loss_workspace(extents))),
       .tickets = device.tickets(kernels::fixed_classifier_loss_tickets(extents)),
       .x_run_stride = op.x.run_stride(),
       .weights_run_stride = op.weights.run_stride(),
       .bias_run_stride = op.bias.run_stride(),
       .frame_run_stride = op.frame.run_stride(),
       .labels_run_stride = op.labels.run_stride(),
       .losses_run_stride = op.losses.run_stride(),
       .x_grad_run_stride = op.x_grad.run_stride(),
       .weights_grad_run_stride = op.weights_grad.run_stride(),
       .bias_grad_run_stride = op.bias_grad.run_stride(),
       .extents = extents},
      device.stream());
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
