#include "engine/ops/sgd_step.h"

#include "engine/ops/op.h"

namespace gnc {

void SgdStep::check() const {
  check_operands(kName, values.runs(),
                 {{"values", values}, {"gradients", gradients}, {"momentum_buffer", momentum_buffer}});
  for (const Operand& operand : {Operand{"values", values}, Operand{"gradients", gradients},
                                 Operand{"momentum_buffer", momentum_buffer}}) {
    check_shape(kName, operand, {values.shape()[0]});
    check_dtype(kName, operand, values.dtype());
  }
  check_wide_dtype(kName, {"values", values});
  check_written(kName, {"values", values});
  check_written(kName, {"momentum_buffer", momentum_buffer});
  if (losses) {
    check_operands(kName, values.runs(), {{"values", values}, {"losses", losses}});
    check_shape(kName, {"losses", losses}, {losses.shape()[0]});
    check_dtype(kName, {"losses", losses}, values.dtype());
  }
  if (non_finite) {
    check_operands(kName, values.runs(), {{"values", values}, {"non_finite", non_finite}});
    check_shape(kName, {"non_finite", non_finite}, {1});
    check_dtype(kName, {"non_finite", non_finite}, DType::kI32);
    check_written(kName, {"non_finite", non_finite});
  }
  if (!bf16_values) return;
  check_operands(kName, values.runs(), {{"values", values}, {"bf16_values", bf16_values}});
  check_shape(kName, {"bf16_values", bf16_values}, {values.shape()[0]});
  check_dtype(kName, {"bf16_values", bf16_values}, DType::kBf16);
  check_written(kName, {"bf16_values", bf16_values});
}

}  // namespace gnc
