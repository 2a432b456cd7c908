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

/// In pixels.
kernels::ImageStrides row_strides(std::string_view op, const ConstTensor& x) {
  const kernels::ImageStrides strides = image_strides(op, "x", x);
  const std::int64_t pitch = x.pixel_pitch();
  return {.n = strides.n / pitch, .h = strides.h / pitch, .w = strides.w / pitch};
}

}  // namespace

void execute(DeviceBackend& device, const BatchNormConv2dBackward& op) {
  if (!suits_kernel(device, op)) {
    execute(device, convolution_of(op));
    return execute(device, normalization_of(op));
  }
  require_weights_layout(op.kName, op.weights);
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.kName, op.x);
  const kernels::Conv2dShape shape = shape_of(op.geometry, op.x.shape(), op.y_grad.shape());
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    const std::size_t workspace = kernels::batch_norm_conv2d_workspace(shape, extents.runs);
    kernels::batch_norm_conv2d_backward<T>(
        {.shape = shape,
         .weights = per_run<T>(op.weights),
         .y_grad = images<T>(op.kName, "y_grad", op.y_grad),
         .norm = shared_backward_args<T>(op, extents, device.workspace(workspace)),
         .rows = row_strides(op.kName, op.x),
         .math = device.math()},
        device.stream());
  });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
