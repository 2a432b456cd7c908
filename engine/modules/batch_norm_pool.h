#pragma once
/// Batch normalisation layer with the maximum pooling behind it.

#include <string>

#include "engine/modules/batch_norm.h"
#include "engine/modules/module.h"
#include "engine/modules/sequential.h"

namespace gnc {

/// BatchNorm (with its activation) and MaxPool of 2x2 windows side by side, two layers with names of their
/// own, for a Sequential that adds both under "". In training they are one op each way, under the name of the
/// normalisation: the images between them are not kept, nor ever written. In evaluation, for the gradient of
/// the input and under the eyes of a LayerObserver they run one after the other, and give the same.
class BatchNormMaxPool final : public Module {
 public:
  struct Names {
    std::string norm;
    std::string pool;
  };
  BatchNormMaxPool(Names names, int channels, Activation activation);

  /// x [N,C,H,W]; throws ShapeError in training unless H and W are even.
  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override;

 private:
  std::string norm_name_;
  Activation activation_;
  Sequential apart_;
  BatchNorm* norm_;  // of apart_
};

}  // namespace gnc
