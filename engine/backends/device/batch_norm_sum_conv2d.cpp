#include "kernels/batch_norm_sum_conv2d.h"

#include "engine/backends/device/batch_norm.h"
#include "engine/backends/device/conv2d.h"
#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {

void execute(DeviceBackend& device, const BatchNormSumConv2dBackward& op) {
  if (device.has_convolution_library()) {
    execute(device, convolution_of(op));
    if (!op.is_onto_others()) execute(device, others_of(op));
    return execute(device, normalization_of(op));
  }
  require_weights_layout(op.kName, op.weights);
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.kName, op.x);
  const kernels::Conv2dShape shape = shape_of(op.geometry, op.x.shape(), op.y_grad.shape());
  const BatchNormBackward normalization = normalization_of(op);
  void* const workspace = device.workspace(kernels::batch_norm_sum_conv2d_workspace(shape, extents.runs));
  int* const tickets = device.tickets(kernels::batch_norm_sum_conv2d_tickets(shape, extents.runs));
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::Images<const T> others = images<T>(op.kName, "others_grad", op.others_grad);
    others.data += op.others_first_channel;
    kernels::batch_norm_sum_conv2d_backward<T>(
        {.shape = shape,
         .weights = per_run<T>(op.weights),
         .y_grad = images<T>(op.kName, "y_grad", op.y_grad),
         .norm = all_backward_args<T>(normalization, extents, workspace, tickets),
         .rows = row_strides(op.kName, op.x),
         .others_grad = others,
         .others_stride = op.others_stride,
         .math = device.math()},
        device.stream());
  });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
