#include "kernels/conv2d.h"

#include "engine/backends/device/conv2d.h"
#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"
#include "kernels/pointwise.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

/// Where the statistics of y go, if they are wanted.
kernels::Conv2dStatistics statistics_args(DeviceBackend& device, const Conv2dForward& op,
                                          const kernels::Conv2dShape& shape) {
  if (!op.mean) return {};
  const std::size_t bytes = kernels::conv2d_statistics_workspace(shape, op.y.runs());
  return {.mean = per_run<float>(op.mean),
          .variance = per_run<float>(op.variance),
          .invstd = per_run<float>(op.invstd),
          .workspace = static_cast<float*>(device.workspace(bytes)),
          .tickets = device.tickets(kernels::conv2d_statistics_tickets(shape, op.y.runs())),
          .epsilon = op.epsilon};
}

/// The gradient of a bias is a sum of columns: pixels in any order, channels side by side.
void run_bias_backward(DeviceBackend& device, const Conv2dBackwardWeights& op) {
  const Shape& y = op.y_grad.shape();
  const kernels::BiasExtents extents{.rows = y.elements() / y[1], .channels = y[1], .runs = op.y_grad.runs()};
  with_image_type(op.kName, op.y_grad, [&](auto zero) {
    using T = decltype(zero);
    kernels::bias_backward<T>(
        {.y_grad = pointer<T>(op.y_grad),
         .bias_grad = pointer<float>(op.bias_grad),
         .workspace = static_cast<float*>(device.workspace(kernels::bias_backward_workspace(extents))),
         .y_grad_run_stride = op.y_grad.run_stride(),
         .bias_grad_run_stride = op.bias_grad.run_stride(),
         .extents = extents},
        device.stream());
  });
}

}  // namespace

void execute(DeviceBackend& device, const Conv2dForward& op) {
  require_weights_layout(op.kName, op.weights);
  require_dtype(op.kName, "bias", op.bias, DType::kF32);
  require_dtype(op.kName, "mean", op.mean, DType::kF32);
  const auto own = [&] {
    with_image_type(op.kName, op.x, [&](auto zero) {
      using T = decltype(zero);
      const kernels::Conv2dShape shape = shape_of(op.geometry, op.x.shape(), op.y.shape());
      kernels::conv2d_forward<T>({.shape = shape,
                                  .x = images<T>(op.kName, "x", op.x),
                                  .weights = per_run<T>(op.weights),
                                  .bias = per_run<float>(op.bias),
                                  .y = images<T>(op.kName, "y", op.y),
                                  .runs = op.y.runs(),
                                  .math = device.math(),
                                  .statistics = statistics_args(device, op, shape)},
                                 device.stream());
    });
  };
  if (!device.run_in_library(op, own)) own();
}

void execute(DeviceBackend& device, const Conv2dBackwardInput& op) {
  require_weights_layout(op.kName, op.weights);
  const auto own = [&] {
    with_image_type(op.kName, op.x_grad, [&](auto zero) {
      using T = decltype(zero);
      kernels::conv2d_backward_input<T>({.shape = shape_of(op.geometry, op.x_grad.shape(), op.y_grad.shape()),
                                         .weights = per_run<T>(op.weights),
                                         .y_grad = images<T>(op.kName, "y_grad", op.y_grad),
                                         .x_grad = images<T>(op.kName, "x_grad", op.x_grad),
                                         .runs = op.x_grad.runs(),
                                         .math = device.math(),
                                         .x_grad_mode = mode_of(op.x_grad_mode)},
                                        device.stream());
    });
  };
  if (!device.run_in_library(op, own)) own();
}

void execute(DeviceBackend& device, const Conv2dBackwardWeights& op) {
  require_weights_layout(op.kName, op.weights_grad);
  require_dtype(op.kName, "weights_grad", op.weights_grad, DType::kF32);
  require_dtype(op.kName, "bias_grad", op.bias_grad, DType::kF32);
  const auto own = [&] {
    with_image_type(op.kName, op.x, [&](auto zero) {
      using T = decltype(zero);
      kernels::Conv2dBackwardWeightsArgs<T> args{
          .shape = shape_of(op.geometry, op.x.shape(), op.y_grad.shape()),
          .x = images<T>(op.kName, "x", op.x),
          .y_grad = images<T>(op.kName, "y_grad", op.y_grad),
          .weights_grad = per_run<float>(op.weights_grad),
          .workspace = nullptr,
          .runs = op.weights_grad.runs(),
          .math = device.math()};
      args.workspace =
          static_cast<float*>(device.workspace(kernels::conv2d_backward_weights_workspace(args)));
      kernels::conv2d_backward_weights(args, device.stream());
    });
  };
  if (!device.run_in_library(op, own)) own();
  if (op.bias_grad) run_bias_backward(device, op);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
