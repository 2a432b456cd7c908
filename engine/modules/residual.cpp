#include "engine/modules/residual.h"

#include <utility>

#include "engine/ops/pointwise.h"
#include "engine/ops/subsample.h"

namespace gnc {
namespace {

/// act(a + b), written over the one of them that has no other owner.
LeasedTensor sum_of(LeasedTensor a, LeasedTensor b, Activation activation, Pass& pass) {
  LeasedTensor y = a.is_sole_owner() ? a : b.is_sole_owner() ? b : pass.lease(a.tensor().spec());
  pass.backend().run(Add{.a = a.tensor(), .b = b.tensor(), .y = y.tensor(), .activation = activation});
  return y;
}

}  // namespace

Residual::Residual(Branches branches, Activation activation)
    : branches_(std::move(branches)), activation_(activation) {}

LeasedTensor Residual::forward(LeasedTensor x, Pass& pass) {
  LeasedTensor main = branches_.main->forward(x, pass);
  LeasedTensor shortcut = branches_.shortcut ? branches_.shortcut->forward(std::move(x), pass) : std::move(x);
  LeasedTensor y = sum_of(std::move(main), std::move(shortcut), activation_, pass);
  if (activation_ == Activation::kRelu) pass.save(y);
  return y;
}

LeasedTensor Residual::backward(LeasedTensor y_grad, Pass& pass) {
  if (activation_ == Activation::kRelu) {
    const LeasedTensor y = pass.take();
    LeasedTensor sum_grad = y_grad.is_sole_owner() ? y_grad : pass.lease(y.tensor().spec());
    pass.backend().run(ReluBackward{.y = y.tensor(), .y_grad = y_grad.tensor(), .x_grad = sum_grad.tensor()});
    y_grad = std::move(sum_grad);
  }
  // In reverse order of forward, as the pass is a stack. Both branches get the same gradient: neither may
  // write over it while the other one needs it.
  LeasedTensor shortcut_grad = branches_.shortcut ? branches_.shortcut->backward(y_grad, pass) : y_grad;
  LeasedTensor main_grad = branches_.main->backward(std::move(y_grad), pass);
  return sum_of(std::move(main_grad), std::move(shortcut_grad), Activation::kNone, pass);
}

void Residual::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  branches_.main->visit(prefix, visitor);
  if (branches_.shortcut) branches_.shortcut->visit(prefix, visitor);
}

LipschitzBound Residual::lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const {
  LipschitzBound main = branches_.main->lipschitz(prefix, x, probe);
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

LipschitzBound SubsampleShortcut::lipschitz(const std::string&, const Shape& x, const NormProbe&) const {
  const Conv2dGeometry sampling{.kernel = 1, .stride = options_.stride, .padding = 0};
  return {.output = sampling.output_shape(x, options_.out_channels)};
}

}  // namespace gnc
