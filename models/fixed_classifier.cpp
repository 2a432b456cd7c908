#include "models/fixed_classifier.h"

namespace gnc {

FixedClassifier::FixedClassifier(int feature_dim, int num_classes) {
  weights_.shape = {num_classes, feature_dim};
  weights_.kind = ParameterKind::kBuffer;
}

LeasedTensor FixedClassifier::forward(LeasedTensor x, Pass& pass) {
  const Tensor& features = x.tensor();
  LeasedTensor logits = pass.lease(
      {.shape = Shape({features.shape()[0], weights_.shape[0]}, features.runs()), .dtype = features.dtype()});
  pass.backend().run(
      Gemm{.a = features, .b = weights_.value, .c = logits.tensor(), .transpose_b = Transpose::kYes});
  pass.save_spec(features.spec());
  return logits;
}

LeasedTensor FixedClassifier::backward(LeasedTensor y_grad, Pass& pass) {
  LeasedTensor x_grad = pass.lease(pass.take_spec());
  pass.backend().run(Gemm{.a = y_grad.tensor(), .b = weights_.value, .c = x_grad.tensor()});
  return x_grad;
}

void FixedClassifier::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(prefix + ".weight", weights_);
}

LipschitzBound FixedClassifier::lipschitz(const std::string& prefix, const Shape& x,
                                          const NormProbe& probe) const {
  const LayerNorms norms = probe.linear(prefix, weights_);
  return {.constant = norms.spectral, .layers = {norms}, .output = Shape({x[0], weights_.shape[0]})};
}

}  // namespace gnc
