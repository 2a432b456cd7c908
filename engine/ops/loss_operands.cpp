#include "engine/ops/loss_operands.h"

#include "engine/ops/op.h"

namespace gnc {

void check_loss_operands(std::string_view op, const LossOperands& operands) {
  const auto& [logits, labels, losses, logits_grad, predictions] = operands;
  check_operands(op, logits.runs(), {{"logits", logits}, {"labels", labels}, {"losses", losses}});
  const int batch = logits.shape()[0], classes = logits.shape()[1];
  require<ShapeError>(batch >= 1 && classes >= 1, "{}: logits {} are empty", op, logits.to_string());
  check_shape(op, {"logits", logits}, {batch, classes});
  check_shape(op, {"labels", labels}, {batch});
  check_shape(op, {"losses", losses}, {batch});
  check_wide_dtype(op, {"logits", logits});
  check_dtype(op, {"labels", labels}, DType::kI32);
  check_dtype(op, {"losses", losses}, logits.dtype());
  check_written(op, {"losses", losses});
  if (logits_grad) {
    check_operands(op, logits.runs(), {{"logits", logits}, {"logits_grad", logits_grad}});
    check_shape(op, {"logits_grad", logits_grad}, logits.shape());
    check_dtype(op, {"logits_grad", logits_grad}, logits.dtype());
    check_written(op, {"logits_grad", logits_grad});
  }
  if (predictions) {
    check_operands(op, logits.runs(), {{"logits", logits}, {"predictions", predictions}});
    check_shape(op, {"predictions", predictions}, {batch});
    check_dtype(op, {"predictions", predictions}, DType::kI32);
    check_written(op, {"predictions", predictions});
  }
}

}  // namespace gnc
