#include "kernels/pooling.h"

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

kernels::PoolExtents extents_of(const Conv2dGeometry& geometry, const Shape& x, const Shape& y) {
  return {.images = x[0],
          .channels = x[1],
          .height = x[2],
          .width = x[3],
          .output_height = y[2],
          .output_width = y[3],
          .kernel = geometry.kernel,
          .stride = geometry.stride,
          .padding = geometry.padding,
          .runs = y.runs()};
}

/// What both forward ops share; the average has no winner.
template <class T, class Op>
kernels::PoolForwardArgs<T> forward_args(const Op& op, const Tensor& winner) {
  return {.x = pointer<T>(op.x),
          .y = pointer<T>(op.y),
          .winner = pointer<std::uint8_t>(winner),
          .x_strides = image_strides(op.kName, "x", op.x),
          .y_strides = image_strides(op.kName, "y", op.y),
          .x_run_stride = op.x.run_stride(),
          .y_run_stride = op.y.run_stride(),
          .winner_run_stride = winner.run_stride(),
          .extents = extents_of(op.geometry, op.x.shape(), op.y.shape())};
}

template <class T, class Op>
kernels::PoolBackwardArgs<T> backward_args(const Op& op, const ConstTensor& winner) {
  return {.y_grad = pointer<T>(op.y_grad),
          .winner = pointer<std::uint8_t>(winner),
          .x_grad = pointer<T>(op.x_grad),
          .y_grad_strides = image_strides(op.kName, "y_grad", op.y_grad),
          .x_grad_strides = image_strides(op.kName, "x_grad", op.x_grad),
          .y_grad_run_stride = op.y_grad.run_stride(),
          .winner_run_stride = winner.run_stride(),
          .x_grad_run_stride = op.x_grad.run_stride(),
          .extents = extents_of(op.geometry, op.x_grad.shape(), op.y_grad.shape())};
}

}  // namespace

void execute(DeviceBackend& device, const MaxPoolForward& op) {
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::max_pool_forward<T>(forward_args<T>(op, op.winner), device.stream());
  });
}

void execute(DeviceBackend& device, const AveragePoolForward& op) {
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::average_pool_forward<T>(forward_args<T>(op, {}), device.stream());
  });
}

void execute(DeviceBackend& device, const MaxPoolBackward& op) {
  with_image_type(op.kName, op.x_grad, [&](auto zero) {
    using T = decltype(zero);
    kernels::max_pool_backward<T>(backward_args<T>(op, op.winner), device.stream());
  });
}

void execute(DeviceBackend& device, const AveragePoolBackward& op) {
  with_image_type(op.kName, op.x_grad, [&](auto zero) {
    using T = decltype(zero);
    kernels::average_pool_backward<T>(backward_args<T>(op, {}), device.stream());
  });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
