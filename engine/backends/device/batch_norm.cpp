#include "engine/backends/device/batch_norm.h"

#include "engine/backends/device/device_backend.h"

namespace gnc {
inline namespace KERNEL_TARGET {

void execute(DeviceBackend& device, const BatchNormForward& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.kName, op.x);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    auto args = forward_args<T>(device, op, extents);
    args.addend = pointer<T>(op.addend);
    args.addend_run_stride = op.addend.run_stride();
    kernels::batch_norm_forward(args, device.stream());
  });
}

void execute(DeviceBackend& device, const BatchNormApply& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::batch_norm_apply<T>({.x = pointer<T>(op.x),
                                  .scale = pointer<float>(op.scale),
                                  .shift = pointer<float>(op.shift),
                                  .mean = pointer<float>(op.mean),
                                  .invstd = pointer<float>(op.invstd),
                                  .y = pointer<T>(op.y),
                                  .x_run_stride = op.x.run_stride(),
                                  .x_pitch = op.x.pixel_pitch(),
                                  .scale_run_stride = op.scale.run_stride(),
                                  .shift_run_stride = op.shift.run_stride(),
                                  .mean_run_stride = op.mean.run_stride(),
                                  .invstd_run_stride = op.invstd.run_stride(),
                                  .y_run_stride = op.y.run_stride(),
                                  .extents = extents_of(op.kName, op.x),
                                  .activation = activation_of(op.activation)},
                                 device.stream());
  });
}

void execute(DeviceBackend& device, const BatchNormInference& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::batch_norm_inference<T>({.x = pointer<T>(op.x),
                                      .scale = pointer<float>(op.scale),
                                      .shift = pointer<float>(op.shift),
                                      .running_mean = pointer<float>(op.running_mean),
                                      .running_variance = pointer<float>(op.running_variance),
                                      .y = pointer<T>(op.y),
                                      .x_run_stride = op.x.run_stride(),
                                      .x_pitch = op.x.pixel_pitch(),
                                      .scale_run_stride = op.scale.run_stride(),
                                      .shift_run_stride = op.shift.run_stride(),
                                      .running_mean_run_stride = op.running_mean.run_stride(),
                                      .running_variance_run_stride = op.running_variance.run_stride(),
                                      .y_run_stride = op.y.run_stride(),
                                      .extents = extents_of(op.kName, op.x),
                                      .epsilon = op.epsilon,
                                      .activation = activation_of(op.activation),
                                      .addend = pointer<T>(op.addend),
                                      .addend_run_stride = op.addend.run_stride()},
                                     device.stream());
  });
}

void execute(DeviceBackend& device, const BatchNormBackward& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.kName, op.x);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    void* const workspace = device.workspace(kernels::batch_norm_workspace(extents));
    int* const tickets = device.tickets(kernels::batch_norm_tickets(extents));
    kernels::batch_norm_backward(all_backward_args<T>(op, extents, workspace, tickets), device.stream());
  });
}

void execute(DeviceBackend& device, const BatchNormInferenceBackward& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::batch_norm_inference_backward<T>(
        {.x = pointer<T>(op.x),
         .scale = pointer<float>(op.scale),
         .shift = pointer<float>(op.shift),
         .running_mean = pointer<float>(op.running_mean),
         .running_variance = pointer<float>(op.running_variance),
         .y_grad = pointer<T>(op.y_grad),
         .x_grad = pointer<T>(op.x_grad),
         .x_run_stride = op.x.run_stride(),
         .x_pitch = op.x.pixel_pitch(),
         .scale_run_stride = op.scale.run_stride(),
         .shift_run_stride = op.shift.run_stride(),
         .running_mean_run_stride = op.running_mean.run_stride(),
         .running_variance_run_stride = op.running_variance.run_stride(),
         .y_grad_run_stride = op.y_grad.run_stride(),
         .x_grad_run_stride = op.x_grad.run_stride(),
         .x_grad_pitch = op.x_grad.pixel_pitch(),
         .extents = extents_of(op.kName, op.x),
         .epsilon = op.epsilon,
         .activation = activation_of(op.activation),
         .x_grad_mode = mode_of(op.x_grad_mode)},
        device.stream());
  });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
