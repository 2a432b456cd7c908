#pragma once
/// Images to rows of features.

#include "engine/modules/module.h"

namespace gnc {

/// [N,C,H,W] to [N,C·H·W] in the order of torch.flatten (channel, row, column), whatever the images' layout.
/// Rows of features are never narrower than fp32: images in bf16 are widened, and their gradients rounded on
/// the way back. Where nobody behind it computed a gradient, nobody before it needs one.
class Flatten final : public Module {
 public:
  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
};

}  // namespace gnc
