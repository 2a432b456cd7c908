#include "engine/modules/relu.h"

namespace gnc {

LeasedTensor Relu::forward(LeasedTensor x, Pass& pass) {
  LeasedTensor y = x.is_sole_owner() ? x : pass.lease(x.tensor().spec());
  pass.backend().run(ReluForward{.x = x.tensor(), .y = y.tensor()});
  pass.save(y);
  return y;
}

LeasedTensor Relu::backward(LeasedTensor y_grad, Pass& pass) {
  const LeasedTensor y = pass.take();
  LeasedTensor x_grad = y_grad.is_sole_owner() ? y_grad : pass.lease(y.tensor().spec());
  pass.backend().run(ReluBackward{.y = y.tensor(), .y_grad = y_grad.tensor(), .x_grad = x_grad.tensor()});
  return x_grad;
}

LipschitzBound Relu::lipschitz(const std::string&, const Shape& x, const NormProbe&) const {
  return {.output = x};
}

}  // namespace gnc
