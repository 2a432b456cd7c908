#pragma once
/// Batch normalisation layer, with the ReLU behind it where there is one, and a sum between the two.

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

  /// With a ReLU only: y = ReLU(norm(x) + addend), where a residual connection ends. May write over an addend
  /// that has no other owner.
  LeasedTensor forward_sum(LeasedTensor x, LeasedTensor addend, Pass& pass);
  struct SumGradients {
    LeasedTensor x;
    LeasedTensor addend;  ///< has no other owner
  };
  /// Of forward_sum; writes the gradients of the parameters as backward does.
  SumGradients backward_sum(LeasedTensor y_grad, Pass& pass);

  /// For a forward pass in training: the statistics of x where the layer before has announced them, else room
  /// for mean and invstd, and no variance.
  BatchStatistics statistics_for(const Tensor& x, Pass& pass) const;

  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override;

  // For modules that run the ops of this layer themselves.
  const Parameter& scale() const { return scale_; }
  const Parameter& shift() const { return shift_; }
  const Parameter& running_mean() const { return running_mean_; }
  const Parameter& running_variance() const { return running_variance_; }

 private:
  /// act(norm(x) + addend), where there is one.
  LeasedTensor forward_onto(LeasedTensor x, LeasedTensor addend, Pass& pass);
  /// Outside of training.
  LeasedTensor input_gradient(LeasedTensor y_grad, Activation activation, Pass& pass);
  /// Runs an op that has its images but x, with what is per channel and x, which the pass has.
  template <class Op>
  void run_backward(Op op, Pass& pass);

  Activation activation_;
  Parameter scale_;
  Parameter shift_;
  Parameter running_mean_;
  Parameter running_variance_;
};

}  // namespace gnc
