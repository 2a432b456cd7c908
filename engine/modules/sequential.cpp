#include "engine/modules/sequential.h"

namespace gnc {

LeasedTensor Sequential::forward(LeasedTensor x, Pass& pass) {
  for (const auto& [name, child] : children_) {
    const LayerRange range(pass, name);
    x = child->forward(std::move(x), pass);
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
  for (const auto& [name, child] : children_)
    child->visit(prefix.empty() || name.empty() ? prefix + name : prefix + "." + name, visitor);
}

}  // namespace gnc
