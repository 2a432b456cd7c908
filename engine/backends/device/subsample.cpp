#include "kernels/subsample.h"

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

/// `x` is the image with all pixels, `y` the one with every stride-th of them.
template <class Op>
kernels::SubsampleExtents extents_of(const Op& op, const Shape& x, const Shape& y) {
  return {.images = x[0],
          .channels = x[1],
          .height = x[2],
          .width = x[3],
          .output_channels = y[1],
          .output_height = y[2],
          .output_width = y[3],
          .stride = op.stride,
          .first_channel = op.first_channel,
          .runs = y.runs()};
}

}  // namespace

void execute(DeviceBackend& device, const SubsampleForward& op) {
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::subsample_forward<T>({.x = pointer<T>(op.x),
                                   .y = pointer<T>(op.y),
                                   .x_strides = image_strides(op.kName, "x", op.x),
                                   .y_strides = image_strides(op.kName, "y", op.y),
                                   .x_run_stride = op.x.run_stride(),
                                   .y_run_stride = op.y.run_stride(),
                                   .extents = extents_of(op, op.x.shape(), op.y.shape())},
                                  device.stream());
  });
}

void execute(DeviceBackend& device, const SubsampleBackward& op) {
  with_image_type(op.kName, op.x_grad, [&](auto zero) {
    using T = decltype(zero);
    kernels::subsample_backward<T>({.y_grad = pointer<T>(op.y_grad),
                                    .x_grad = pointer<T>(op.x_grad),
                                    .y_grad_strides = image_strides(op.kName, "y_grad", op.y_grad),
                                    .x_grad_strides = image_strides(op.kName, "x_grad", op.x_grad),
                                    .y_grad_run_stride = op.y_grad.run_stride(),
                                    .x_grad_run_stride = op.x_grad.run_stride(),
                                    .extents = extents_of(op, op.x_grad.shape(), op.y_grad.shape()),
                                    .x_grad_mode = mode_of(op.x_grad_mode)},
                                   device.stream());
  });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
