#pragma once
/// Features on a sphere.

#include "engine/modules/module.h"

namespace gnc {

/// y[n] = norm·x[n]/‖x[n]‖ for x [N,D]. A row without a direction becomes zero and has no gradient
/// (engine/ops/normalize_rows.h).
class NormalizeRows final : public Module {
 public:
  explicit NormalizeRows(float norm) : norm_(norm) {}

  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;

 private:
  float norm_;
};

}  // namespace gnc
