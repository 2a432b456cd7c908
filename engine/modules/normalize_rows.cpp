#include "engine/modules/normalize_rows.h"

#include <limits>

namespace gnc {

LeasedTensor NormalizeRows::forward(LeasedTensor x, Pass& pass) {
  LeasedTensor y = pass.lease(x.tensor().spec());
  pass.backend().run(NormalizeRowsForward{.x = x.tensor(), .y = y.tensor(), .norm = norm_});
  pass.save(std::move(x));
  return y;
}

LeasedTensor NormalizeRows::backward(LeasedTensor y_grad, Pass& pass) {
  const LeasedTensor x = pass.take();
  LeasedTensor x_grad = y_grad.is_sole_owner() ? y_grad : pass.lease(x.tensor().spec());
  pass.backend().run(NormalizeRowsBackward{
      .x = x.tensor(), .y_grad = y_grad.tensor(), .x_grad = x_grad.tensor(), .norm = norm_});
  return x_grad;
}

/// The nearer to the origin, the steeper: no constant holds for all.
LipschitzBound NormalizeRows::lipschitz(const std::string&, const Shape& x, const NormProbe&) const {
  return {.constant = std::numeric_limits<double>::infinity(), .output = x};
}

}  // namespace gnc
