#pragma once
/// Rectified linear unit as a layer of its own, for networks without batch normalisation.

#include "engine/modules/module.h"

namespace gnc {

class Relu final : public Module {
 public:
  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
};

}  // namespace gnc
