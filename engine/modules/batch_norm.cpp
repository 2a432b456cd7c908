#include "engine/modules/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/op.h"
#include "engine/ops/pointwise.h"

namespace gnc {

BatchNorm::BatchNorm(int channels, Activation activation) : activation_(activation) {
  for (Parameter* parameter : {&scale_, &shift_, &running_mean_, &running_variance_})
    parameter->shape = {channels};
  scale_.initializer = Initializer::constant(1);
  running_variance_.initializer = Initializer::constant(1);
  running_mean_.kind = ParameterKind::kBuffer;
  running_variance_.kind = ParameterKind::kBuffer;
}

LeasedTensor BatchNorm::forward(LeasedTensor x, Pass& pass) { return forward_onto(std::move(x), {}, pass); }

LeasedTensor BatchNorm::forward_sum(LeasedTensor x, LeasedTensor addend, Pass& pass) {
  require<Error>(activation_ == Activation::kRelu,
                 "BatchNorm: a sum is taken before a ReLU, and here is none");
  LeasedTensor y = forward_onto(std::move(x), std::move(addend), pass);
  pass.save(y);
  return y;
}

LeasedTensor BatchNorm::forward_onto(LeasedTensor x, LeasedTensor addend, Pass& pass) {
  if (!pass.is_training()) {
    const bool is_in_place = x.is_sole_owner() && !pass.has_backward();
    LeasedTensor y = is_in_place ? x : addend.is_sole_owner() ? addend : pass.lease(x.tensor().spec());
    pass.backend().run(BatchNormInference{.x = x.tensor(),
                                          .scale = scale_.value,
                                          .shift = shift_.value,
                                          .running_mean = running_mean_.value,
                                          .running_variance = running_variance_.value,
                                          .addend = addend.tensor(),
                                          .y = y.tensor(),
                                          .activation = activation_});
    pass.save(std::move(x));
    return y;
  }
  BatchStatistics statistics = statistics_for(x.tensor(), pass);
  LeasedTensor y = addend.is_sole_owner() ? addend : pass.lease(x.tensor().spec());
  pass.backend().run(BatchNormForward{.x = x.tensor(),
                                      .scale = scale_.value,
                                      .shift = shift_.value,
                                      .running_mean = running_mean_.value,
                                      .running_variance = running_variance_.value,
                                      .mean = statistics.mean.tensor(),
                                      .invstd = statistics.invstd.tensor(),
                                      .variance = statistics.variance.tensor(),
                                      .addend = addend.tensor(),
                                      .y = y.tensor(),
                                      .activation = activation_});
  pass.save(std::move(x));
  pass.save(std::move(statistics.mean));
  pass.save(std::move(statistics.invstd));
  return y;
}

BatchStatistics BatchNorm::statistics_for(const Tensor& x, Pass& pass) const {
  BatchStatistics given = pass.statistics_of(x);
  if (given.mean) return given;
  BatchStatistics own;
  const TensorSpec channel{.shape = scale_.value.shape(), .dtype = dtype_beside(x.dtype())};
  own.mean = pass.lease(channel);
  own.invstd = pass.lease(channel);
  return own;
}

template <class Op>
void BatchNorm::run_backward(Op op, Pass& pass) {
  const LeasedTensor invstd = pass.take();
  const LeasedTensor mean = pass.take();
  const LeasedTensor x = pass.take();
  op.x = x.tensor();
  op.scale = scale_.value;
  op.shift = shift_.value;
  op.mean = mean.tensor();
  op.invstd = invstd.tensor();
  op.scale_grad = scale_.gradient;
  op.shift_grad = shift_.gradient;
  pass.backend().run(op);
}

LeasedTensor BatchNorm::backward(LeasedTensor y_grad, Pass& pass) {
  if (!pass.is_training()) return input_gradient(std::move(y_grad), activation_, pass);
  if (const auto convolution = pass.postponed(y_grad.tensor())) {
    require<Error>(!convolution->others,
                   "BatchNorm: nobody but the convolution behind it may take what it gives");
    BatchNormConv2dBackward op;
    op.geometry = convolution->op.geometry;
    op.weights = convolution->op.weights;
    op.y_grad = convolution->op.y_grad;
    op.x_grad = y_grad.tensor();
    op.activation = activation_;
    run_backward(op, pass);
    return y_grad;
  }
  LeasedTensor x_grad = y_grad.is_sole_owner() ? y_grad : pass.lease(y_grad.tensor().spec());
  BatchNormBackward op;
  op.y_grad = y_grad.tensor();
  op.x_grad = x_grad.tensor();
  op.activation = activation_;
  run_backward(op, pass);
  return x_grad;
}

BatchNorm::SumGradients BatchNorm::backward_sum(LeasedTensor y_grad, Pass& pass) {
  const LeasedTensor y = pass.take();
  if (const auto convolution = pass.postponed(y_grad.tensor())) {
    const SampledGradient& others = convolution->others;
    require<Error>(static_cast<bool>(others), "BatchNorm: a sum has other consumers, which gave nothing");
    BatchNormSumConv2dBackward op;
    op.geometry = convolution->op.geometry;
    op.weights = convolution->op.weights;
    op.y_grad = convolution->op.y_grad;
    op.z = y.tensor();
    op.others_grad = others.gradient.tensor();
    op.others_stride = others.stride;
    op.others_first_channel = others.first_channel;
    op.addend_grad = y_grad.tensor();
    const LeasedTensor x_grad = pass.lease(y_grad.tensor().spec());
    op.x_grad = x_grad.tensor();
    run_backward(op, pass);
    return {.x = x_grad, .addend = y_grad};
  }
  const LeasedTensor addend_grad = y_grad.is_sole_owner() ? y_grad : pass.lease(y_grad.tensor().spec());
  if (!pass.is_training()) {
    pass.backend().run(
        ReluBackward{.y = y.tensor(), .y_grad = y_grad.tensor(), .x_grad = addend_grad.tensor()});
    return {.x = input_gradient(addend_grad, Activation::kNone, pass), .addend = addend_grad};
  }
  const LeasedTensor x_grad = pass.lease(y_grad.tensor().spec());
  BatchNormBackward op;
  op.y = y.tensor();
  op.y_grad = y_grad.tensor();
  op.x_grad = x_grad.tensor();
  op.addend_grad = addend_grad.tensor();
  op.activation = activation_;
  run_backward(op, pass);
  return {.x = x_grad, .addend = addend_grad};
}

LeasedTensor BatchNorm::input_gradient(LeasedTensor y_grad, Activation activation, Pass& pass) {
  const LeasedTensor x = pass.take();
  LeasedTensor x_grad = y_grad.is_sole_owner() ? y_grad : pass.lease(x.tensor().spec());
  pass.backend().run(BatchNormInferenceBackward{.x = x.tensor(),
                                                .scale = scale_.value,
                                                .shift = shift_.value,
                                                .running_mean = running_mean_.value,
                                                .running_variance = running_variance_.value,
                                                .y_grad = y_grad.tensor(),
                                                .x_grad = x_grad.tensor(),
                                                .activation = activation});
  return x_grad;
}

void BatchNorm::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(prefix + ".weight", scale_);
  visitor(prefix + ".bias", shift_);
  visitor(prefix + ".running_mean", running_mean_);
  visitor(prefix + ".running_var", running_variance_);
}

LipschitzBound BatchNorm::lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const {
  constexpr double kEpsilon = BatchNormInference{}.epsilon;
  const std::vector<float> scale = probe.values(scale_.value),
                           variance = probe.values(running_variance_.value);
  LayerNorms norms{.name = prefix, .rows = x.elements()};
  for (std::size_t c = 0; c < scale.size(); ++c) {
    const double factor = std::abs(double{scale[c]}) / std::sqrt(double{variance[c]} + kEpsilon);
    norms.spectral = std::max(norms.spectral, factor);
    norms.row_sum += factor * x[2] * x[3];
  }
  return {.constant = norms.spectral, .layers = {norms}, .output = x};
}

}  // namespace gnc
