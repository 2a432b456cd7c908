#include "kernels/batch_norm_conv2d.h"

#include "engine/backends/device/batch_norm.h"
#include "engine/backends/device/conv2d.h"
#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

/// The kernel takes strides of 1 alone, and writes nothing where there are no pixels.
bool suits_kernel(const DeviceBackend& device, const BatchNormConv2dBackward& op) {
  return !device.has_convolution_library() && op.geometry.stride == 1 && op.x.shape().elements() > 0;
}

}  // namespace

void execute(DeviceBackend& device, const BatchNormConv2dBackward& op) {
  if (!suits_kernel(device, op)) {
    execute(device, convolution_of(op));
    return op.is_shared() ? execute(device, shared_normalization_of(op))
                          : execute(device, own_normalization_of(op));
  }
  require_weights_layout(op.kName, op.weights);
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.kName, op.x);
  const kernels::Conv2dShape shape = shape_of(op.geometry, op.x.shape(), op.y_grad.shape());
  // Where nobody else has deferred terms they are between this op's own kernels, in front of the sums.
  const std::int64_t terms = op.is_shared() ? 0 : std::int64_t{extents.runs} * extents.channels;
  float* const own_terms =
      static_cast<float*>(device.workspace(static_cast<std::size_t>(2 * terms) * sizeof(float) +
                                           kernels::batch_norm_conv2d_workspace(shape, extents.runs)));
  int* const tickets = device.tickets(kernels::batch_norm_conv2d_tickets(shape, extents.runs));
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::BatchNormConv2dBackwardArgs<T> args{
        .shape = shape,
        .weights = per_run<T>(op.weights),
        .y_grad = images<T>(op.kName, "y_grad", op.y_grad),
        .norm = shared_backward_args<T>(op, extents, own_terms + 2 * terms, tickets),
        .rows = row_strides(op.kName, op.x),
        .math = device.math()};
    if (op.is_shared()) return kernels::batch_norm_conv2d_backward(args, device.stream());
    args.norm.deferred_mean = own_terms;
    args.norm.deferred_tilt = own_terms + terms;
    args.norm.deferred_mean_run_stride = args.norm.deferred_tilt_run_stride = extents.channels;
    args.norm.deferred_mode = args.x_grad_mode = kernels::GradientMode::kOverwrite;
    kernels::batch_norm_conv2d_backward(args, device.stream());
    kernels::batch_norm_shared_finish<T>({.x = args.norm.x,
                                          .mean = args.norm.mean,
                                          .deferred_mean = args.norm.deferred_mean,
                                          .deferred_tilt = args.norm.deferred_tilt,
                                          .x_grad = args.norm.x_grad,
                                          .x_run_stride = args.norm.x_run_stride,
                                          .x_pitch = args.norm.x_pitch,
                                          .mean_run_stride = args.norm.mean_run_stride,
                                          .deferred_mean_run_stride = args.norm.deferred_mean_run_stride,
                                          .deferred_tilt_run_stride = args.norm.deferred_tilt_run_stride,
                                          .x_grad_run_stride = args.norm.x_grad_run_stride,
                                          .x_grad_pitch = args.norm.x_grad_pitch,
                                          .extents = extents},
                                         device.stream());
  });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
