#pragma once
/// What the op files share: tensors as the kernels see them.

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "engine/error.h"
#include "engine/ops/gradient_mode.h"
#include "engine/tensor.h"
#include "kernels/bfloat16.h"
#include "kernels/gradient_mode.h"
#include "kernels/image.h"

namespace gnc {
inline namespace KERNEL_TARGET {

/// Calls body(T{}) with the kernels' type of the images' dtype. Throws BackendError for another dtype than
/// fp32 and bf16.
template <class Body>
void with_image_type(std::string_view op, const ConstTensor& images, Body&& body) {
  if (images.dtype() == DType::kF32) return body(float{});
  if (images.dtype() == DType::kBf16) return body(kernels::Bf16{});
  throw BackendError(
      fmt::format("{}: images are {}, but the kernels take fp32 and bf16", op, to_string(images.dtype())));
}

/// Throws BackendError unless the dtype is the one that the kernel computes in.
inline void require_dtype(std::string_view op, std::string_view name, const ConstTensor& tensor,
                          DType dtype) {
  require<BackendError>(!tensor || tensor.dtype() == dtype, "{}: {} is {}, but the kernel takes {}", op, name,
                        to_string(tensor.dtype()), to_string(dtype));
}

/// First element of run 0; null when not given.
template <class T>
const T* pointer(const ConstTensor& tensor) {
  return static_cast<const T*>(tensor.raw());
}
template <class T>
T* pointer(const Tensor& tensor) {
  return static_cast<T*>(tensor.raw());
}

inline kernels::GradientMode mode_of(GradientMode mode) {
  return mode == GradientMode::kAccumulate ? kernels::GradientMode::kAccumulate
                                           : kernels::GradientMode::kOverwrite;
}

/// Whether every run starts at a multiple of 16 bytes, as vendors' libraries like it. The answer for a run of
/// an ensemble is that for the run alone: where runs of this size would not be aligned, neither is one run.
inline bool runs_are_aligned(const ConstTensor& tensor) {
  const auto is_multiple_of_16 = [&](std::int64_t elements) {
    return static_cast<std::uintptr_t>(elements) * size_of(tensor.dtype()) % 16 == 0;
  };
  return reinterpret_cast<std::uintptr_t>(tensor.raw()) % 16 == 0 && is_multiple_of_16(tensor.run_stride()) &&
         is_multiple_of_16(tensor.spec().storage_elements());
}

/// Strides of images whose channels lie side by side, slices included. Throws BackendError for other layouts.
inline kernels::ImageStrides image_strides(std::string_view op, std::string_view name,
                                           const ConstTensor& images) {
  const Shape& shape = images.shape();
  const std::int64_t batch = shape[0], height = shape[2], width = shape[3], pitch = images.pixel_pitch();
  if (images.layout() == Layout::kHWNC) return {.n = pitch, .h = width * batch * pitch, .w = batch * pitch};
  const bool lies_as_nhwc = images.layout() == Layout::kNHWC ||
                            (images.layout() == Layout::kRowMajor && (shape[1] == 1 || height * width == 1));
  require<BackendError>(lies_as_nhwc, "{}: {} is {} in layout {}, but the kernels take NHWC and HWNC", op,
                        name, shape.to_string(), to_string(images.layout()));
  return {.n = height * width * pitch, .h = width * pitch, .w = pitch};
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
