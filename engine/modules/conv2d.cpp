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

LeasedTensor Conv2d::backward_onto(LeasedTensor y_grad, LeasedTensor sum, Pass& pass) {
  TensorSpec x_spec;
  if (pass.is_training()) {
    // Given back before the gradient, of the same size, asks for memory.
    const LeasedTensor x = pass.take();
    x_spec = x.tensor().spec();
    pass.backend().run(
        Conv2dBackwardWeights{.geometry = options_.geometry,
                              .x = x.tensor(),
                              .y_grad = y_grad.tensor(),
                              .weights_grad = weights_.gradient,
                              .bias_grad = options_.is_normalized ? Tensor() : bias_.gradient});
    if (options_.input_gradient == InputGradient::kSkip) return {};
  } else {
    x_spec = pass.take_spec();
  }
  const GradientMode mode = sum ? GradientMode::kAccumulate : GradientMode::kOverwrite;
  LeasedTensor x_grad = sum ? std::move(sum) : pass.lease(x_spec);
  const Conv2dBackwardInput op{.geometry = options_.geometry,
                               .weights = weights_.value_beside_images(),
                               .y_grad = y_grad.tensor(),
                               .x_grad = x_grad.tensor(),
                               .x_grad_mode = mode};
  if (options_.is_behind_norm && pass.is_training() && mode == GradientMode::kOverwrite) {
    pass.postpone({op, std::move(y_grad)});
  } else {
    pass.backend().run(op);
  }
  return x_grad;
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
