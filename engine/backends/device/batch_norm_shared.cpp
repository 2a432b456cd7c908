#include "kernels/batch_norm_shared.h"

#include "engine/backends/device/batch_norm.h"
#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {

void execute(DeviceBackend& device, const BatchNormStatistics& op) {
  require_dtype(op.kName, "mean", op.mean, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.kName, op.x);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::batch_norm_statistics_shared<T>(
        {.x = pointer<T>(op.x),
         .mean = pointer<float>(op.mean),
         .variance = pointer<float>(op.variance),
         .invstd = pointer<float>(op.invstd),
         .workspace = static_cast<float*>(device.workspace(kernels::batch_norm_workspace(extents))),
         .tickets = device.tickets(kernels::batch_norm_tickets(extents)),
         .x_run_stride = op.x.run_stride(),
         .x_pitch = op.x.pixel_pitch(),
         .mean_run_stride = op.mean.run_stride(),
         .variance_run_stride = op.variance.run_stride(),
         .invstd_run_stride = op.invstd.run_stride(),
         .extents = extents,
         .epsilon = op.epsilon},
        device.stream());
  });
}

void execute(DeviceBackend& device, const BatchNormSharedBackward& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.kName, op.x);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::BatchNormSharedBackwardArgs<T> args =
        shared_backward_args<T>(op, extents, device.workspace(kernels::batch_norm_workspace(extents)),
                                device.tickets(kernels::batch_norm_tickets(extents)));
    args.y_grad = pointer<T>(op.y_grad);
    args.y_grad_run_stride = op.y_grad.run_stride();
    kernels::batch_norm_shared_backward(args, device.stream());
  });
}

void execute(DeviceBackend& device, const BatchNormSharedFinish& op) {
  require_dtype(op.kName, "mean", op.mean, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.kName, op.x);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::batch_norm_shared_finish<T>({.x = pointer<T>(op.x),
                                          .mean = pointer<float>(op.mean),
                                          .deferred_mean = pointer<float>(op.deferred_mean),
                                          .deferred_tilt = pointer<float>(op.deferred_tilt),
                                          .x_grad = pointer<T>(op.x_grad),
                                          .x_run_stride = op.x.run_stride(),
                                          .x_pitch = op.x.pixel_pitch(),
                                          .mean_run_stride = op.mean.run_stride(),
                                          .deferred_mean_run_stride = op.deferred_mean.run_stride(),
                                          .deferred_tilt_run_stride = op.deferred_tilt.run_stride(),
                                          .x_grad_run_stride = op.x_grad.run_stride(),
                                          .x_grad_pitch = op.x_grad.pixel_pitch(),
                                          .extents = extents},
                                         device.stream());
  });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
