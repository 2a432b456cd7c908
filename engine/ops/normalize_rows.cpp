#include "engine/ops/normalize_rows.h"

#include <cmath>

#include "engine/ops/op.h"

namespace gnc {
namespace {

void check_norm(std::string_view op, float norm) {
  require<ShapeError>(std::isfinite(norm) && norm > 0, "{}: norm {} is not positive", op, norm);
}

void check_rows(std::string_view op, const Operand& x) {
  require<ShapeError>(x.tensor.shape().elements() >= 1, "{}: {} {} is empty", op, x.name,
                      x.tensor.to_string());
  check_shape(op, x, {x.tensor.shape()[0], x.tensor.shape()[1]});
  check_wide_dtype(op, x);
}

}  // namespace

void NormalizeRowsForward::check() const {
  check_operands(kName, y.runs(), {{"x", x}, {"y", y}});
  check_rows(kName, {"x", x});
  check_shape(kName, {"y", y}, x.shape());
  check_dtype(kName, {"y", y}, x.dtype());
  check_written(kName, {"y", y});
  check_norm(kName, norm);
}

void NormalizeRowsBackward::check() const {
  check_operands(kName, x_grad.runs(), {{"x", x}, {"y_grad", y_grad}, {"x_grad", x_grad}});
  check_rows(kName, {"x", x});
  for (const Operand& operand : {Operand{"y_grad", y_grad}, Operand{"x_grad", x_grad}}) {
    check_shape(kName, operand, x.shape());
    check_dtype(kName, operand, x.dtype());
  }
  check_written(kName, {"x_grad", x_grad});
  check_norm(kName, norm);
}

}  // namespace gnc
