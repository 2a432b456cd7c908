#include "engine/backends/reference/logical_array.h"

#include <algorithm>

namespace gnc {
namespace {

/// Calls `body` with a zero of the tensor's element type.
template <class Body>
void with_element_type(const ConstTensor& tensor, Body body) {
  if (tensor.dtype() == DType::kF32) return body(float{});
  if (tensor.dtype() == DType::kF64) return body(double{});
  throw ShapeError(
      fmt::format("reference computes in fp32 and fp64, not on a tensor {}", tensor.to_string()));
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
      (*this)(n, c, h, w) = data[tensor.offset(n, c, h, w)];
    });
  });
}

void LogicalArray::store(const Tensor& tensor, int run) const {
  with_element_type(tensor, [&](auto zero) {
    auto* data = tensor.data<decltype(zero)>(run);
    std::fill_n(data, tensor.spec().storage_elements(), zero);
    for_each_element(tensor.shape(), [&](int n, int c, int h, int w) {
      data[tensor.offset(n, c, h, w)] = static_cast<decltype(zero)>((*this)(n, c, h, w));
    });
  });
}

}  // namespace gnc
