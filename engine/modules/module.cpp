#include "engine/modules/module.h"

namespace gnc {

LeasedTensor Module::backward_onto(LeasedTensor y_grad, SampledGradient others, Pass& pass) {
  LeasedTensor x_grad = backward(std::move(y_grad), pass);
  add_sampled(others, x_grad, pass);
  return x_grad;
}

void add_sampled(const SampledGradient& others, const LeasedTensor& x_grad, Pass& pass) {
  pass.backend().run(SubsampleBackward{.stride = others.stride,
                                       .first_channel = others.first_channel,
                                       .y_grad = others.gradient.tensor(),
                                       .x_grad = x_grad.tensor(),
                                       .x_grad_mode = GradientMode::kAccumulate});
}

}  // namespace gnc
