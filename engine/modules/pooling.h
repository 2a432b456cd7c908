#pragma once
/// Pooling layers.

#include "engine/modules/module.h"
#include "engine/ops/pooling.h"

namespace gnc {

/// Maximum over windows.
class MaxPool final : public Module {
 public:
  explicit MaxPool(const Conv2dGeometry& geometry) : geometry_(geometry) {}
  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;

 private:
  Conv2dGeometry geometry_;
};

/// Mean over windows.
class AveragePool final : public Module {
 public:
  explicit AveragePool(const Conv2dGeometry& geometry) : geometry_(geometry) {}
  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;

 private:
  Conv2dGeometry geometry_;
};

}  // namespace gnc
