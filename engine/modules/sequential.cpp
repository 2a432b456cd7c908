#include "engine/modules/sequential.h"

namespace gnc {
LeasedTensor Sequential::forward(LeasedTensor x, Pass& pass) {
  for (const auto& [name, child] : children_) {
    if (name.empty()) {
      x = child->forward(std::move(x), pass);
      continue;
    }
    pass.enter_layer();
    x = in_layer(pass, name, [&] { return child->forward(std::move(x), pass); });
    pass.leave_layer(name, x);
  }
  return x;
}

LeasedTensor Sequential::backward(LeasedTensor y_grad, Pass& pass) {
  return backward_down_to(0, std::move(y_grad), pass);
}

LeasedTensor Sequential::backward_onto(LeasedTensor y_grad, SampledGradient others, Pass& pass) {
  if (children_.empty()) return Module::backward_onto(std::move(y_grad), std::move(others), pass);
  y_grad = backward_down_to(1, std::move(y_grad), pass);
  const auto& [name, first] = children_.front();
  const LayerRange range(pass, name);
  return first->backward_onto(std::move(y_grad), std::move(others), pass);
}

SampledGradient Sequential::backward_sampled(LeasedTensor y_grad, Pass& pass) {
  if (children_.empty()) return Module::backward_sampled(std::move(y_grad), pass);
  y_grad = backward_down_to(1, std::move(y_grad), pass);
  const auto& [name, first] = children_.front();
  const LayerRange range(pass, name);
  return first->backward_sampled(std::move(y_grad), pass);
}

LeasedTensor Sequential::backward_down_to(std::size_t end, LeasedTensor y_grad, Pass& pass) {
  for (std::size_t i = children_.size(); i > end; --i) {
    const auto& [name, child] = children_[i - 1];
    const LayerRange range(pass, name);
    y_grad = child->backward(std::move(y_grad), pass);
  }
  return y_grad;
}

void Sequential::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  for (const auto& [name, child] : children_) child->visit(full_name(prefix, name), visitor);
}

LipschitzBound Sequential::lipschitz(const std::string& prefix, const Shape& x,
                                     const NormProbe& probe) const {
  LipschitzBound bound{.output = x};
  for (const auto& [name, child] : children_)
    bound = std::move(bound).then(child->lipschitz(full_name(prefix, name), bound.output, probe));
  return bound;
}

}  // namespace gnc
