#include "engine/modules/residual.h"

#include <utility>

#include "engine/ops/subsample.h"

namespace gnc {

Residual::Residual(Branches branches)
    : branches_(std::move(branches)), norm_(branches_.channels, Activation::kRelu) {}

LeasedTensor Residual::forward(LeasedTensor x, Pass& pass) {
  LeasedTensor main = branches_.main->forward(x, pass);
  LeasedTensor addend = branches_.shortcut ? branches_.shortcut->forward(std::move(x), pass) : std::move(x);
  const LayerRange range(pass, branches_.norm);
  return norm_.forward_sum(std::move(main), std::move(addend), pass);
}

LeasedTensor Residual::backward(LeasedTensor y_grad, Pass& pass) {
  // In reverse order of forward, as the pass is a stack.
  BatchNorm::SumGradients sum =
      in_layer(pass, branches_.norm, [&] { return norm_.backward_sum(std::move(y_grad), pass); });
  SampledGradient addend = branches_.shortcut
                               ? branches_.shortcut->backward_sampled(std::move(sum.addend), pass)
                               : SampledGradient{.gradient = std::move(sum.addend)};
  return branches_.main->backward_onto(std::move(sum.x), std::move(addend), pass);
}

void Residual::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  branches_.main->visit(prefix, visitor);
  norm_.visit(full_name(prefix, branches_.norm), visitor);
  if (branches_.shortcut) branches_.shortcut->visit(prefix, visitor);
}

LipschitzBound Residual::lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const {
  LipschitzBound main = branches_.main->lipschitz(prefix, x, probe);
  const Shape inner = main.output;
  main = std::move(main).then(norm_.lipschitz(full_name(prefix, branches_.norm), inner, probe));
  LipschitzBound shortcut =
      branches_.shortcut ? branches_.shortcut->lipschitz(prefix, x, probe) : LipschitzBound{};
  return std::move(main).plus(std::move(shortcut));
}

LeasedTensor SubsampleShortcut::forward(LeasedTensor x, Pass& pass) {
  const Conv2dGeometry sampling{.kernel = 1, .stride = options_.stride, .padding = 0};
  TensorSpec spec = x.tensor().spec();
  spec.shape = sampling.output_shape(x.shape(), options_.out_channels);
  LeasedTensor y = pass.lease(spec);
  pass.backend().run(SubsampleForward{
      .stride = options_.stride, .first_channel = first_channel(), .x = x.tensor(), .y = y.tensor()});
  pass.save_spec(x.tensor().spec());
  return y;
}

LeasedTensor SubsampleShortcut::backward(LeasedTensor y_grad, Pass& pass) {
  LeasedTensor x_grad = pass.lease(pass.take_spec());
  pass.backend().run(SubsampleBackward{.stride = options_.stride,
                                       .first_channel = first_channel(),
                                       .y_grad = y_grad.tensor(),
                                       .x_grad = x_grad.tensor()});
  return x_grad;
}

SampledGradient SubsampleShortcut::backward_sampled(LeasedTensor y_grad, Pass& pass) {
  pass.take_spec();
  return {.gradient = std::move(y_grad), .stride = options_.stride, .first_channel = first_channel()};
}

LipschitzBound SubsampleShortcut::lipschitz(const std::string&, const Shape& x, const NormProbe&) const {
  const Conv2dGeometry sampling{.kernel = 1, .stride = options_.stride, .padding = 0};
  return {.output = sampling.output_shape(x, options_.out_channels)};
}

}  // namespace gnc
