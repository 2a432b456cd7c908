#pragma once
/// What the ops that convolve share: their operands as the kernels take them.

#include <string_view>

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"
#include "kernels/conv2d.h"

namespace gnc {
inline namespace KERNEL_TARGET {

inline kernels::Conv2dShape shape_of(const Conv2dGeometry& geometry, const Shape& x, const Shape& y) {
  return {.batch = x[0],
          .x_channels = x[1],
          .x_height = x[2],
          .x_width = x[3],
          .y_channels = y[1],
          .y_height = y[2],
          .y_width = y[3],
          .kernel = geometry.kernel,
          .stride = geometry.stride,
          .padding = geometry.padding};
}

template <class T>
kernels::Images<const T> images(std::string_view op, std::string_view name, const ConstTensor& tensor) {
  return {pointer<T>(tensor), tensor.run_stride(), image_strides(op, name, tensor)};
}
template <class T>
kernels::Images<T> images(std::string_view op, std::string_view name, const Tensor& tensor) {
  return {pointer<T>(tensor), tensor.run_stride(), image_strides(op, name, tensor)};
}

template <class T>
kernels::PerRun<const T> per_run(const ConstTensor& tensor) {
  return {pointer<T>(tensor), tensor.run_stride()};
}
template <class T>
kernels::PerRun<T> per_run(const Tensor& tensor) {
  return {pointer<T>(tensor), tensor.run_stride()};
}

/// The kernels read weights as O,KH,KW,I.
inline void require_weights_layout(std::string_view op, const ConstTensor& weights) {
  const Shape& shape = weights.shape();
  require<BackendError>(weights.layout() == Layout::kNHWC || (weights.layout() == Layout::kRowMajor &&
                                                              (shape[1] == 1 || shape[2] * shape[3] == 1)),
                        "{}: weights {} are in layout {}, but the kernels take NHWC", op, shape.to_string(),
                        to_string(weights.layout()));
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
