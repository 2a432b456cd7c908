#include "engine/modules/sequential.h"

namespace gnc {
namespace {

std::string full_name(const std::string& prefix, const std::string& name) {
  return prefix.empty() || name.empty() ? prefix + name : prefix + "." + name;
}

}  // namespace

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
  for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
    const LayerRange range(pass, child->first);
    y_grad = child->second->backward(std::move(y_grad), pass);
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
