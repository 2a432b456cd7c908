#include "engine/ops/cross_entropy.h"

#include "engine/ops/op.h"

namespace gnc {

void CrossEntropy::check() const {
  check_operands(kName, logits.runs(), {{"logits", logits}, {"labels", labels}, {"losses", losses}});
  const int batch = logits.shape()[0], classes = logits.shape()[1];
  require<ShapeError>(batch >= 1 && classes >= 1, "{}: logits {} are empty", kName, logits.to_string());
  check_shape(kName, {"logits", logits}, {batch, classes});
  check_shape(kName, {"labels", labels}, {batch});
  check_shape(kName, {"losses", losses}, {batch});
  check_wide_dtype(kName, {"logits", logits});
  check_dtype(kName, {"labels", labels}, DType::kI32);
  check_dtype(kName, {"losses", losses}, logits.dtype());
  check_written(kName, {"losses", losses});
  if (logits_grad) {
    check_operands(kName, logits.runs(), {{"logits", logits}, {"logits_grad", logits_grad}});
    check_shape(kName, {"logits_grad", logits_grad}, logits.shape());
    check_dtype(kName, {"logits_grad", logits_grad}, logits.dtype());
    check_written(kName, {"logits_grad", logits_grad});
  }
  if (predictions) {
    check_operands(kName, logits.runs(), {{"logits", logits}, {"predictions", predictions}});
    check_shape(kName, {"predictions", predictions}, {batch});
    check_dtype(kName, {"predictions", predictions}, DType::kI32);
    check_written(kName, {"predictions", predictions});
  }
}

}  // namespace gnc
