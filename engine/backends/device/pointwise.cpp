#include "kernels/pointwise.h"

#include <array>

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"
#include "kernels/convert.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

kernels::BiasExtents bias_extents(const ConstTensor& y) {
  return {.rows = y.shape()[0], .channels = y.shape()[1], .runs = y.runs()};
}

/// What becomes of the elements of `op`.
kernels::Conversion conversion_of(const ConvertLayout& op) {
  const DType from = op.x.dtype(), to = op.y.dtype();
  if (from != to) {
    require_dtype(op.kName, "x", op.x, to == DType::kBf16 ? DType::kF32 : DType::kBf16);
    require_dtype(op.kName, "y", op.y, from == DType::kBf16 ? DType::kF32 : DType::kBf16);
    return to == DType::kBf16 ? kernels::Conversion::kFp32ToBf16 : kernels::Conversion::kBf16ToFp32;
  }
  switch (size_of(from)) {
    case 1:
      return kernels::Conversion::kCopy1;
    case 2:
      return kernels::Conversion::kCopy2;
    case 4:
      return kernels::Conversion::kCopy4;
    default:
      return kernels::Conversion::kCopy8;
  }
}

/// Strides (in elements) of the four logical extents. Throws BackendError for blocked layouts, which only
/// `cpu` has.
std::array<std::int64_t, 4> strides_of(std::string_view name, const ConstTensor& tensor) {
  const Shape& shape = tensor.shape();
  if (tensor.layout() == Layout::kRowMajor)
    return {std::int64_t{shape[1]} * shape[2] * shape[3], std::int64_t{shape[2]} * shape[3], shape[3], 1};
  const kernels::ImageStrides strides = image_strides(ConvertLayout::kName, name, tensor);
  return {strides.n, 1, strides.h, strides.w};
}

}  // namespace

void execute(DeviceBackend& device, const ReluForward& op) {
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::relu_forward<T>({.x = pointer<T>(op.x),
                              .y = pointer<T>(op.y),
                              .x_run_stride = op.x.run_stride(),
                              .y_run_stride = op.y.run_stride(),
                              .elements = op.y.spec().storage_elements(),
                              .runs = op.y.runs()},
                             device.stream());
  });
}

void execute(DeviceBackend& device, const ReluBackward& op) {
  with_image_type(op.kName, op.y, [&](auto zero) {
    using T = decltype(zero);
    kernels::relu_backward<T>({.y = pointer<T>(op.y),
                               .y_grad = pointer<T>(op.y_grad),
                               .x_grad = pointer<T>(op.x_grad),
                               .y_run_stride = op.y.run_stride(),
                               .y_grad_run_stride = op.y_grad.run_stride(),
                               .x_grad_run_stride = op.x_grad.run_stride(),
                               .elements = op.x_grad.spec().storage_elements(),
                               .runs = op.x_grad.runs()},
                              device.stream());
  });
}

void execute(DeviceBackend& device, const Add& op) {
  with_image_type(op.kName, op.y, [&](auto zero) {
    using T = decltype(zero);
    kernels::add<T>({.a = pointer<T>(op.a),
                     .b = pointer<T>(op.b),
                     .y = pointer<T>(op.y),
                     .a_run_stride = op.a.run_stride(),
                     .b_run_stride = op.b.run_stride(),
                     .y_run_stride = op.y.run_stride(),
                     .elements = op.y.spec().storage_elements(),
                     .runs = op.y.runs(),
                     .is_cut_off = op.activation == Activation::kRelu},
                    device.stream());
  });
}

void execute(DeviceBackend& device, const BiasForward& op) {
  require_dtype(op.kName, "y", op.y, DType::kF32);
  kernels::bias_forward({.bias = pointer<float>(op.bias),
                         .y = pointer<float>(op.y),
                         .bias_run_stride = op.bias.run_stride(),
                         .y_run_stride = op.y.run_stride(),
                         .extents = bias_extents(op.y)},
                        device.stream());
}

void execute(DeviceBackend& device, const BiasBackward& op) {
  require_dtype(op.kName, "y_grad", op.y_grad, DType::kF32);
  const kernels::BiasExtents extents = bias_extents(op.y_grad);
  kernels::bias_backward<float>(
      {.y_grad = pointer<float>(op.y_grad),
       .bias_grad = pointer<float>(op.bias_grad),
       .workspace = static_cast<float*>(device.workspace(kernels::bias_backward_workspace(extents))),
       .y_grad_run_stride = op.y_grad.run_stride(),
       .bias_grad_run_stride = op.bias_grad.run_stride(),
       .extents = extents},
      device.stream());
}

void execute(DeviceBackend& device, const ConvertLayout& op) {
  kernels::ConvertArgs args{.x = op.x.raw(),
                            .y = op.y.raw(),
                            .extents = {},
                            .x_run_stride = op.x.run_stride(),
                            .y_run_stride = op.y.run_stride(),
                            .runs = op.y.runs(),
                            .conversion = conversion_of(op)};
  const auto x_strides = strides_of("x", op.x), y_strides = strides_of("y", op.y);
  for (std::size_t i = 0; i < 4; ++i)
    args.extents[i] = {
        .size = op.y.shape()[static_cast<int>(i)], .x_stride = x_strides[i], .y_stride = y_strides[i]};
  kernels::convert(args, device.stream());
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
