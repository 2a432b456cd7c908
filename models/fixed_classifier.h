#pragma once
/// The frozen last layer: a frame M ∈ ℝ^{d×C} as linear classifier.

#include "engine/modules/module.h"

namespace gnc {

/// logits = z·M for features z [N,d], i.e. logits_y = ⟨M_y, z⟩, without bias. M is a buffer called "weight",
/// stored [C,d] as torch.nn.Linear would: it is part of the state, has no gradient and is outside weight
/// decay. Its values are written by whoever has the frame (ParameterArena::write), one frame per run.
class FixedClassifier final : public Module {
 public:
  FixedClassifier(int feature_dim, int num_classes);

  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override;

  /// M, row y being M_y.
  const Parameter& weights() const { return weights_; }

 private:
  Parameter weights_;
};

}  // namespace gnc
