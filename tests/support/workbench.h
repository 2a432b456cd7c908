#pragma once
/// Tensors by hand: for tests that write one op out with its numbers.

#include <deque>
#include <span>
#include <vector>

#include "engine/backend.h"
#include "engine/ops/op.h"

namespace gnc::tests {

/// Keeps the tensors of one small calculation on a backend. Values go in and come out in logical order,
/// whatever the layout; `real` is the dtype of images and weights, and of everything else that is not an
/// integer but for bf16, beside which that is fp32.
class Workbench {
 public:
  explicit Workbench(Backend& backend, DType real = DType::kF32) : backend_(&backend), real_(real) {}

  /// Row-major.
  Tensor tensor(const Shape& shape, std::span<const double> values) {
    return put(shape, values, dtype_beside(real_), Layout::kRowMajor);
  }
  Tensor tensor(const Shape& shape, std::initializer_list<double> values) {
    return tensor(shape, list(values));
  }
  /// In the backend's layout of images.
  Tensor image(const Shape& shape, std::span<const double> values) {
    return put(shape, values, real_, backend_->image_layout());
  }
  Tensor image(const Shape& shape, std::initializer_list<double> values) {
    return image(shape, list(values));
  }
  /// In the backend's layout of convolution weights.
  Tensor weights(const Shape& shape, std::span<const double> values) {
    return put(shape, values, real_, backend_->weights_layout(shape));
  }
  Tensor weights(const Shape& shape, std::initializer_list<double> values) {
    return weights(shape, list(values));
  }
  /// Row-major int32 or uint8.
  Tensor integers(const Shape& shape, DType dtype, std::initializer_list<int> values) {
    return put_integers(shape, dtype, values, Layout::kRowMajor);
  }
  /// The same in the backend's layout of images.
  Tensor integer_image(const Shape& shape, DType dtype, std::initializer_list<int> values) {
    return put_integers(shape, dtype, values, backend_->image_layout());
  }

  /// To be written by an op; full of NaN (or 255, or −1) before.
  Tensor empty(const Shape& shape) { return blank({.shape = shape, .dtype = dtype_beside(real_)}); }
  Tensor empty_image(const Shape& shape) {
    return blank({.shape = shape, .dtype = real_, .layout = backend_->image_layout()});
  }
  Tensor empty_weights(const Shape& shape) {
    return blank({.shape = shape, .dtype = real_, .layout = backend_->weights_layout(shape)});
  }
  Tensor empty_weights_gradient(const Shape& shape) {
    return blank({.shape = shape, .dtype = dtype_beside(real_), .layout = backend_->weights_layout(shape)});
  }
  Tensor blank(const TensorSpec& spec);

  template <class Op>
  void run(const Op& op) {
    backend_->run(op);
    backend_->synchronize();
  }

  /// The elements of all runs, in logical order.
  std::vector<double> values(const ConstTensor& tensor) const;

 private:
  static std::span<const double> list(std::initializer_list<double> values) {
    return {values.begin(), values.size()};
  }
  Tensor put(const Shape& shape, std::span<const double> values, DType dtype, Layout layout);
  Tensor put_integers(const Shape& shape, DType dtype, std::initializer_list<int> values, Layout layout);
  Tensor keep(const HostTensor& host);

  Backend* backend_;
  DType real_;
  std::deque<DeviceTensor> tensors_;
};

}  // namespace gnc::tests
