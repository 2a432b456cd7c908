#include "kernels/batch_norm_pool.h"

#include "engine/backends/device/batch_norm.h"
#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

kernels::BatchNormExtents extents_of(const Shape& x) {
  return {.rows = x.elements() / x[1], .channels = x[1], .runs = x.runs()};
}

/// `pooled` is y or its gradient.
kernels::PoolWindows windows_of(std::string_view op, const ConstTensor& x, std::string_view name,
                                const ConstTensor& pooled) {
  const Shape& shape = pooled.shape();
  return {.images = shape[0],
          .height = shape[2],
          .width = shape[3],
          .strides = image_strides(op, "x", x),
          .pooled = image_strides(op, name, pooled)};
}

}  // namespace

void execute(DeviceBackend& device, const BatchNormMaxPoolForward& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.x.shape());
  const kernels::PoolWindows windows = windows_of(op.kName, op.x, "y", op.y);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::batch_norm_max_pool_forward<T>(
        {.norm = {.x = pointer<T>(op.x),
                  .scale = pointer<float>(op.scale),
                  .shift = pointer<float>(op.shift),
                  .running_mean = pointer<float>(op.running_mean),
                  .running_variance = pointer<float>(op.running_variance),
                  .mean = pointer<float>(op.mean),
                  .invstd = pointer<float>(op.invstd),
                  .y = pointer<T>(op.y),
                  .workspace = static_cast<float*>(device.workspace(kernels::batch_norm_workspace(extents))),
                  .x_run_stride = op.x.run_stride(),
                  .x_pitch = op.x.pixel_pitch(),
                  .scale_run_stride = op.scale.run_stride(),
                  .shift_run_stride = op.shift.run_stride(),
                  .running_mean_run_stride = op.running_mean.run_stride(),
                  .running_variance_run_stride = op.running_variance.run_stride(),
                  .mean_run_stride = op.mean.run_stride(),
                  .invstd_run_stride = op.invstd.run_stride(),
                  .y_run_stride = op.y.run_stride(),
                  .extents = extents,
                  .epsilon = op.epsilon,
                  .momentum = op.momentum,
                  .activation = activation_of(op.activation)},
         .windows = windows,
         .winner = pointer<std::uint8_t>(op.winner),
         .winner_run_stride = op.winner.run_stride()},
        device.stream());
  });
}

void execute(DeviceBackend& device, const BatchNormMaxPoolBackward& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.x.shape());
  const kernels::PoolWindows windows = windows_of(op.kName, op.x, "y_grad", op.y_grad);
  const std::size_t workspace =
      kernels::batch_norm_max_pool_backward_workspace(windows, extents.channels, extents.runs);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::batch_norm_max_pool_backward<T>(
        {.norm = {.x = pointer<T>(op.x),
                  .scale = pointer<float>(op.scale),
                  .shift = pointer<float>(op.shift),
                  .mean = pointer<float>(op.mean),
                  .invstd = pointer<float>(op.invstd),
                  .y_grad = pointer<T>(op.y_grad),
                  .x_grad = pointer<T>(op.x_grad),
                  .scale_grad = pointer<float>(op.scale_grad),
                  .shift_grad = pointer<float>(op.shift_grad),
                  .workspace = static_cast<float*>(device.workspace(workspace)),
                  .x_run_stride = op.x.run_stride(),
                  .x_pitch = op.x.pixel_pitch(),
                  .scale_run_stride = op.scale.run_stride(),
                  .shift_run_stride = op.shift.run_stride(),
                  .mean_run_stride = op.mean.run_stride(),
                  .invstd_run_stride = op.invstd.run_stride(),
                  .y_grad_run_stride = op.y_grad.run_stride(),
                  .x_grad_run_stride = op.x_grad.run_stride(),
                  .x_grad_pitch = op.x_grad.pixel_pitch(),
                  .scale_grad_run_stride = op.scale_grad.run_stride(),
                  .shift_grad_run_stride = op.shift_grad.run_stride(),
                  .extents = extents,
                  .activation = activation_of(op.activation),
                  .x_grad_mode = kernels::GradientMode::kOverwrite},
         .windows = windows,
         .winner = pointer<std::uint8_t>(op.winner),
         .winner_run_stride = op.winner.run_stride()},
        device.stream());
  });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
