#include "engine/backends/reference/logical_array.h"

#include <algorithm>
#include <type_traits>

namespace gnc {
namespace {

/// Calls `body` with a zero of the tensor's element type.
template <class Body>
void with_element_type(const ConstTensor& tensor, Body body) {
  if (tensor.dtype() == DType::kF32) return body(float{});
  if (tensor.dtype() == DType::kF64) return body(double{});
  if (tensor.dtype() == DType::kBf16) return body(Bf16{});
  throw ShapeError(
      fmt::format("reference computes on fp32, fp64 and bf16, not on a tensor {}", tensor.to_string()));
}

double widened(double value) { return value; }
double widened(Bf16 value) { return double{value.to_float()}; }

/// Rounds once.
template <class T>
T rounded(double value) {
  if constexpr (std::is_same_v<T, Bf16>)
    return Bf16::from_double(value);
  else
    return static_cast<T>(value);
}

}  // namespace

LogicalArray::LogicalArray(const Shape& shape)
    : channels_(shape[1]),
      height_(shape[2]),
      width_(shape[3]),
      values_(static_cast<std::size_t>(shape.elements())) {}

LogicalArray::LogicalArray(const ConstTensor& tensor, int run) : LogicalArray(tensor.shape()) {
  with_element_type(tensor, [&](auto zero) {
    const auto* data = tensor.data<decltype(zero)>(run);
    for_each_element(tensor.shape(), [&](int n, int c, int h, int w) {
      (*this)(n, c, h, w) = widened(data[tensor.offset(n, c, h, w)]);
    });
  });
}

void LogicalArray::store(const Tensor& tensor, int run) const {
  with_element_type(tensor, [&](auto zero) {
    auto* data = tensor.data<decltype(zero)>(run);
    // Only what is not a slice may have padding.
    if (!tensor.is_slice()) std::fill_n(data, tensor.spec().storage_elements(), zero);
    for_each_element(tensor.shape(), [&](int n, int c, int h, int w) {
      data[tensor.offset(n, c, h, w)] = rounded<decltype(zero)>((*this)(n, c, h, w));
    });
  });
}

}  // namespace gnc
