#include "engine/modules/pooling.h"

namespace gnc {
namespace {

TensorSpec pooled(const Conv2dGeometry& geometry, const Tensor& x) {
  return {.shape = geometry.output_shape(x.shape(), x.shape()[1]), .dtype = x.dtype(), .layout = x.layout()};
}

/// Windows that one row of pixels may be in.
int windows_across(const Conv2dGeometry& geometry) {
  return (geometry.kernel + geometry.stride - 1) / geometry.stride;
}

}  // namespace

LeasedTensor MaxPool::forward(LeasedTensor x, Pass& pass) {
  const TensorSpec spec = pooled(geometry_, x.tensor());
  LeasedTensor y = pass.lease(spec);
  LeasedTensor winner;
  if (pass.has_backward())
    winner = pass.lease({.shape = spec.shape, .dtype = DType::kU8, .layout = spec.layout});
  pass.backend().run(
      MaxPoolForward{.geometry = geometry_, .x = x.tensor(), .y = y.tensor(), .winner = winner.tensor()});
  pass.save_spec(x.tensor().spec());
  pass.save(std::move(winner));
  return y;
}

LeasedTensor MaxPool::backward(LeasedTensor y_grad, Pass& pass) {
  const LeasedTensor winner = pass.take();
  const TensorSpec x_spec = pass.take_spec();
  LeasedTensor x_grad = pass.lease(x_spec);
  pass.backend().run(MaxPoolBackward{.geometry = geometry_,
                                     .y_grad = y_grad.tensor(),
                                     .winner = winner.tensor(),
                                     .x_grad = x_grad.tensor()});
  return x_grad;
}

LeasedTensor AveragePool::forward(LeasedTensor x, Pass& pass) {
  LeasedTensor y = pass.lease(pooled(geometry_, x.tensor()));
  pass.backend().run(AveragePoolForward{.geometry = geometry_, .x = x.tensor(), .y = y.tensor()});
  pass.save_spec(x.tensor().spec());
  return y;
}

LeasedTensor AveragePool::backward(LeasedTensor y_grad, Pass& pass) {
  const TensorSpec x_spec = pass.take_spec();
  LeasedTensor x_grad = pass.lease(x_spec);
  pass.backend().run(
      AveragePoolBackward{.geometry = geometry_, .y_grad = y_grad.tensor(), .x_grad = x_grad.tensor()});
  return x_grad;
}

/// A pixel lies in at most ⌈kernel/stride⌉² windows.
LipschitzBound MaxPool::lipschitz(const std::string&, const Shape& x, const NormProbe&) const {
  return {.constant = static_cast<double>(windows_across(geometry_)),
          .output = geometry_.output_shape(x, x[1])};
}

/// ‖A‖² <= ‖A‖₁ ‖A‖_∞ = (⌈kernel/stride⌉²/kernel²) · 1.
LipschitzBound AveragePool::lipschitz(const std::string&, const Shape& x, const NormProbe&) const {
  return {.constant = static_cast<double>(windows_across(geometry_)) / geometry_.kernel,
          .output = geometry_.output_shape(x, x[1])};
}

}  // namespace gnc
