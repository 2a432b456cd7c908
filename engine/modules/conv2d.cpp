#include "engine/modules/conv2d.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/ops/op.h"

namespace gnc {

Conv2d::Conv2d(const Options& options) : options_(options) {
  const int kernel = options.geometry.kernel;
  weights_.shape = {options.out_channels, options.in_channels, kernel, kernel};
  weights_.is_convolution_weight = true;
  bias_.shape = {options.out_channels};
  const double fan_in = static_cast<double>(options.in_channels) * kernel * kernel;
  const double fan_out = static_cast<double>(options.out_channels) * kernel * kernel;
  switch (options.init) {
    case ConvolutionInit::kKaimingNormalFanOut:
      weights_.initializer = Initializer::normal(std::sqrt(2.0 / fan_out));
      bias_.initializer = Initializer::constant(0);
      break;
    case ConvolutionInit::kKaimingNormalFanIn:
      weights_.initializer = Initializer::normal(std::sqrt(2.0 / fan_in));
      bias_.initializer = Initializer::constant(0);
      break;
    case ConvolutionInit::kPyTorchDefault:
      weights_.initializer = Initializer::uniform(1.0 / std::sqrt(fan_in));
      bias_.initializer = weights_.initializer;
      break;
  }
}

LeasedTensor Conv2d::forward(LeasedTensor x, Pass& pass) {
  const int room = std::max(options_.room, options_.out_channels);
  const LeasedTensor images = pass.lease({.shape = options_.geometry.output_shape(x.shape(), room),
                                          .dtype = x.tensor().dtype(),
                                          .layout = pass.backend().image_layout()});
  LeasedTensor y = images.viewed_as(images.tensor().channels(0, options_.out_channels));
  Conv2dForward op{.geometry = options_.geometry,
                   .x = x.tensor(),
                   .weights = weights_.value_beside_images(),
                   .bias = bias_.value,
                   .y = y.tensor()};
  BatchStatistics statistics;
  if (options_.is_normalized && pass.is_training()) {
    statistics = pass.lease_statistics(x.tensor(), options_.out_channels);
    op.mean = statistics.mean.tensor();
    op.variance = statistics.variance.tensor();
    op.invstd = statistics.invstd.tensor();
  }
  pass.backend().run(op);
  if (statistics.mean) pass.announce(y.tensor(), std::move(statistics));
  if (pass.is_training()) {
    pass.save(std::move(x));
  } else {
    pass.save_spec(x.tensor().spec());
  }
  return y;
}

LeasedTensor Conv2d::backward(LeasedTensor y_grad, Pass& pass) {
  return backward_onto(std::move(y_grad), {}, pass);
}

LeasedTensor Conv2d::backward_onto(LeasedTensor y_grad, SampledGradient others, Pass& pass) {
  const TensorSpec x_spec = take_input(y_grad.tensor(), pass);
  if (pass.is_training() && options_.input_gradient == InputGradient::kSkip) return {};
  const bool is_onto_whole = others && others.is_whole(x_spec.shape);
  LeasedTensor x_grad = is_onto_whole ? others.gradient : pass.lease(x_spec);
  const Conv2dBackwardInput op{
      .geometry = options_.geometry,
      .weights = weights_.value_beside_images(),
      .y_grad = y_grad.tensor(),
      .x_grad = x_grad.tensor(),
      .x_grad_mode = is_onto_whole ? GradientMode::kAccumulate : GradientMode::kOverwrite};
  if (pass.is_training() && (others ? options_.is_behind_sum : options_.is_behind_norm)) {
    pass.postpone({op, std::move(y_grad), std::move(others)});
    return x_grad;
  }
  pass.backend().run(op);
  if (others && !is_onto_whole) add_sampled(others, x_grad, pass);
  return x_grad;
}

SampledGradient Conv2d::backward_sampled(LeasedTensor y_grad, Pass& pass) {
  const Conv2dGeometry& geometry = options_.geometry;
  if (geometry.kernel != 1 || geometry.padding != 0) return Module::backward_sampled(std::move(y_grad), pass);
  TensorSpec sampled = take_input(y_grad.tensor(), pass);
  // Of the pixels that it looked at, one an output: as if there were no others.
  sampled.shape = geometry.output_shape(sampled.shape, options_.in_channels);
  LeasedTensor x_grad = pass.lease(sampled);
  pass.backend().run(Conv2dBackwardInput{.geometry = {.kernel = 1, .stride = 1, .padding = 0},
                                         .weights = weights_.value_beside_images(),
                                         .y_grad = y_grad.tensor(),
                                         .x_grad = x_grad.tensor()});
  return {.gradient = std::move(x_grad), .stride = geometry.stride};
}

TensorSpec Conv2d::take_input(const Tensor& y_grad, Pass& pass) {
  if (!pass.is_training()) return pass.take_spec();
  // Given back before the gradient, of the same size, asks for memory.
  const LeasedTensor x = pass.take();
  pass.backend().run(Conv2dBackwardWeights{.geometry = options_.geometry,
                                           .x = x.tensor(),
                                           .y_grad = y_grad,
                                           .weights_grad = weights_.gradient,
                                           .bias_grad = options_.is_normalized ? Tensor() : bias_.gradient});
  return x.tensor().spec();
}

void Conv2d::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(prefix + ".weight", weights_);
  if (options_.has_bias) visitor(prefix + ".bias", bias_);
}

LipschitzBound Conv2d::lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const {
  const LayerNorms norms = probe.convolution(prefix, weights_, options_.geometry, x);
  return {.constant = norms.spectral,
          .layers = {norms},
          .output = options_.geometry.output_shape(x, options_.out_channels)};
}

}  // namespace gnc
