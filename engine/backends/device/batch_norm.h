#pragma once
/// What the ops of batch normalisation, with and without a pooling behind them, share: their operands as the
/// kernels take them.

#include <string_view>

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"
#include "engine/ops/batch_norm.h"
#include "kernels/batch_norm.h"
#include "kernels/batch_norm_shared.h"

namespace gnc {
inline namespace KERNEL_TARGET {

inline kernels::Activation activation_of(Activation activation) {
  return activation == Activation::kRelu ? kernels::Activation::kRelu : kernels::Activation::kNone;
}

/// The images as the matrix [N·H·W, C] that they are in every layout with channels side by side.
inline kernels::BatchNormExtents extents_of(std::string_view op, const ConstTensor& x) {
  static_cast<void>(image_strides(op, "x", x));  // refuses other layouts
  const Shape& shape = x.shape();
  return {.rows = shape.elements() / shape[1], .channels = shape[1], .runs = x.runs()};
}

/// Of the pixels of x, in rows of that matrix.
inline kernels::ImageStrides row_strides(std::string_view op, const ConstTensor& x) {
  const kernels::ImageStrides strides = image_strides(op, "x", x);
  const std::int64_t pitch = x.pixel_pitch();
  return {.n = strides.n / pitch, .h = strides.h / pitch, .w = strides.w / pitch};
}

/// Of an op that has these operands; no addend. Given statistics need no workspace.
template <class T, class Op>
kernels::BatchNormForwardArgs<T> forward_args(DeviceBackend& device, const Op& op,
                                              const kernels::BatchNormExtents& extents) {
  const bool has_statistics = static_cast<bool>(op.variance);
  void* const workspace = has_statistics ? nullptr : device.workspace(kernels::batch_norm_workspace(extents));
  return {.x = pointer<T>(op.x),
          .scale = pointer<float>(op.scale),
          .shift = pointer<float>(op.shift),
          .running_mean = pointer<float>(op.running_mean),
          .running_variance = pointer<float>(op.running_variance),
          .mean = pointer<float>(op.mean),
          .invstd = pointer<float>(op.invstd),
          .y = pointer<T>(op.y),
          .workspace = static_cast<float*>(workspace),
          .tickets = has_statistics ? nullptr : device.tickets(kernels::batch_norm_tickets(extents)),
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
          .activation = activation_of(op.activation),
          .variance = pointer<float>(op.variance),
          .variance_run_stride = op.variance.run_stride()};
}

/// Of an op that has these operands; overwrites x_grad, no addend.
template <class T, class Op>
kernels::BatchNormBackwardArgs<T> backward_args(const Op& op, const kernels::BatchNormExtents& extents,
                                                void* workspace, int* tickets) {
  return {.x = pointer<T>(op.x),
          .scale = pointer<float>(op.scale),
          .shift = pointer<float>(op.shift),
          .mean = pointer<float>(op.mean),
          .invstd = pointer<float>(op.invstd),
          .y_grad = pointer<T>(op.y_grad),
          .x_grad = pointer<T>(op.x_grad),
          .scale_grad = pointer<float>(op.scale_grad),
          .shift_grad = pointer<float>(op.shift_grad),
          .workspace = static_cast<float*>(workspace),
          .tickets = tickets,
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
          .x_grad_mode = kernels::GradientMode::kOverwrite};
}

/// Of BatchNormBackward, with all that it has.
template <class T>
kernels::BatchNormBackwardArgs<T> all_backward_args(const BatchNormBackward& op,
                                                    const kernels::BatchNormExtents& extents, void* workspace,
                                                    int* tickets) {
  auto args = backward_args<T>(op, extents, workspace, tickets);
  args.x_grad_mode = mode_of(op.x_grad_mode);
  args.y = pointer<T>(op.y);
  args.addend_grad = pointer<T>(op.addend_grad);
  args.y_run_stride = op.y.run_stride();
  args.addend_grad_run_stride = op.addend_grad.run_stride();
  return args;
}

/// Of an op that has these operands; without the gradient that comes in.
template <class T, class Op>
kernels::BatchNormSharedBackwardArgs<T> shared_backward_args(const Op& op,
                                                             const kernels::BatchNormExtents& extents,
                                                             void* workspace, int* tickets) {
  return {.x = pointer<T>(op.x),
          .scale = pointer<float>(op.scale),
          .shift = pointer<float>(op.shift),
          .mean = pointer<float>(op.mean),
          .invstd = pointer<float>(op.invstd),
          .y_grad = nullptr,
          .x_grad = pointer<T>(op.x_grad),
          .scale_grad = pointer<float>(op.scale_grad),
          .shift_grad = pointer<float>(op.shift_grad),
          .deferred_mean = pointer<float>(op.deferred_mean),
          .deferred_tilt = pointer<float>(op.deferred_tilt),
          .workspace = static_cast<float*>(workspace),
          .tickets = tickets,
          .x_run_stride = op.x.run_stride(),
          .x_pitch = op.x.pixel_pitch(),
          .scale_run_stride = op.scale.run_stride(),
          .shift_run_stride = op.shift.run_stride(),
          .mean_run_stride = op.mean.run_stride(),
          .invstd_run_stride = op.invstd.run_stride(),
          .y_grad_run_stride = 0,
          .x_grad_run_stride = op.x_grad.run_stride(),
          .x_grad_pitch = op.x_grad.pixel_pitch(),
          .scale_grad_run_stride = op.scale_grad.run_stride(),
          .shift_grad_run_stride = op.shift_grad.run_stride(),
          .deferred_mean_run_stride = op.deferred_mean.run_stride(),
          .deferred_tilt_run_stride = op.deferred_tilt.run_stride(),
          .extents = extents,
          .activation = activation_of(op.activation),
          .deferred_mode = mode_of(op.deferred_mode)};
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
