#include "tests/support/workbench.h"

#include <algorithm>
#include <cstddef>

#include "engine/error.h"
#include "tests/support/compare.h"

namespace gnc::tests {

Tensor Workbench::keep(const HostTensor& host) {
  tensors_.push_back(upload(backend_->memory(), host));
  return tensors_.back().view();
}

Tensor Workbench::put(const Shape& shape, std::span<const double> values, DType dtype, Layout layout) {
  HostTensor host(TensorSpec{.shape = shape, .dtype = dtype});
  const auto elements = host.bytes().size() / size_of(dtype);
  require<ShapeError>(elements == values.size(), "{} values for a tensor {}", values.size(),
                      shape.to_string());
  if (dtype == DType::kF64)
    std::ranges::copy(values, host.values<double>().begin());
  else if (dtype == DType::kBf16)
    std::ranges::transform(values, host.values<Bf16>().begin(), &Bf16::from_double);
  else
    std::ranges::transform(values, host.values<float>().begin(),
                           [](double value) { return static_cast<float>(value); });
  return keep(host.in_layout(layout));
}

Tensor Workbench::put_integers(const Shape& shape, DType dtype, std::initializer_list<int> values,
                               Layout layout) {
  HostTensor host(TensorSpec{.shape = shape, .dtype = dtype});
  require<ShapeError>(host.bytes().size() == values.size() * size_of(dtype), "{} values for a tensor {}",
                      values.size(), shape.to_string());
  if (dtype == DType::kU8)
    std::ranges::transform(values, host.values<std::uint8_t>().begin(),
                           [](int value) { return static_cast<std::uint8_t>(value); });
  else
    std::ranges::copy(values, host.values<std::int32_t>().begin());
  return keep(host.in_layout(layout));
}

Tensor Workbench::blank(const TensorSpec& spec) {
  HostTensor host(spec);
  std::ranges::fill(host.bytes(), std::byte{0xFF});
  return keep(host);
}

std::vector<double> Workbench::values(const ConstTensor& tensor) const {
  return as_doubles(download(tensor).in_layout(Layout::kRowMajor));
}

}  // namespace gnc::tests
