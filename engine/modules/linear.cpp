#include "engine/modules/linear.h"

#include <cmath>

namespace gnc {

Linear::Linear(const Options& options) : options_(options) {
  weights_.shape = {options.out_features, options.in_features};
  bias_.shape = {options.out_features};
  const double in_features = options.in_features;
  const Initializer by_inputs = Initializer::uniform(1 / std::sqrt(in_features));
  switch (options.init) {
    case LinearInit::kPyTorchDefault:
      weights_.initializer = by_inputs;
      bias_.initializer = by_inputs;
      break;
    case LinearInit::kSmallNormal:
      weights_.initializer = Initializer::normal(0.01);
      bias_.initializer = Initializer::constant(0);
      break;
    case LinearInit::kKaimingNormal:
      weights_.initializer = Initializer::normal(std::sqrt(2 / in_features));
      bias_.initializer = by_inputs;
      break;
    case LinearInit::kZeroBias:
      weights_.initializer = by_inputs;
      bias_.initializer = Initializer::constant(0);
      break;
  }
}

LeasedTensor Linear::forward(LeasedTensor x, Pass& pass) {
  const Tensor& input = x.tensor();
  LeasedTensor y = pass.lease(
      {.shape = Shape({input.shape()[0], options_.out_features}, input.runs()), .dtype = input.dtype()});
  pass.backend().run(Gemm{.a = input, .b = weights_.value, .c = y.tensor(), .transpose_b = Transpose::kYes});
  if (options_.bias == Bias::kYes) pass.backend().run(BiasForward{.bias = bias_.value, .y = y.tensor()});
  if (pass.is_training()) {
    pass.save(std::move(x));
  } else {
    pass.save_spec(x.tensor().spec());
  }
  return y;
}

LeasedTensor Linear::backward(LeasedTensor y_grad, Pass& pass) {
  TensorSpec x_spec;
  if (pass.is_training()) {
    const LeasedTensor x = pass.take();
    x_spec = x.tensor().spec();
    pass.backend().run(
        Gemm{.a = y_grad.tensor(), .b = x.tensor(), .c = weights_.gradient, .transpose_a = Transpose::kYes});
    if (options_.bias == Bias::kYes)
      pass.backend().run(BiasBackward{.y_grad = y_grad.tensor(), .bias_grad = bias_.gradient});
    if (options_.input_gradient == InputGradient::kSkip) return {};
  } else {
    x_spec = pass.take_spec();
  }
  LeasedTensor x_grad = pass.lease(x_spec);
  pass.backend().run(Gemm{.a = y_grad.tensor(), .b = weights_.value, .c = x_grad.tensor()});
  return x_grad;
}

void Linear::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(prefix + ".weight", weights_);
  if (options_.bias == Bias::kYes) visitor(prefix + ".bias", bias_);
}

LipschitzBound Linear::lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const {
  const LayerNorms norms = probe.linear(prefix, weights_);
  return {.constant = norms.spectral, .layers = {norms}, .output = Shape({x[0], options_.out_features})};
}

}  // namespace gnc
