#pragma once
/// Batch normalisation layer, with the ReLU behind it where there is one.

#include "engine/modules/module.h"
#include "engine/ops/batch_norm.h"

namespace gnc {

/// Parameters "weight" (scale, starts at 1) and "bias" (shift, starts at 0), buffers "running_mean" (0) and
/// "running_var" (1), all [C]: torch.nn.BatchNorm2d's names and defaults (epsilon 1e-5, momentum 0.1).
/// Normalises by the batch's statistics in training and by the running ones in evaluation.
class BatchNorm final : public Module {
 public:
  BatchNorm(int channels, Activation activation);

  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override;

  // For modules that run the ops of this layer themselves.
  const Parameter& scale() const { return scale_; }
  const Parameter& shift() const { return shift_; }
  const Parameter& running_mean() const { return running_mean_; }
  const Parameter& running_variance() const { return running_variance_; }

 private:
  Activation activation_;
  Parameter scale_;
  Parameter shift_;
  Parameter running_mean_;
  Parameter running_variance_;
};

}  // namespace gnc
