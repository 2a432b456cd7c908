#include "engine/ops/pooling.h"

#include "engine/ops/op.h"

namespace gnc {
namespace {

void check_pooling(std::string_view op, const Conv2dGeometry& geometry, const Operand& x, const Operand& y,
                   const Operand& winner) {
  check_operands(op, y.tensor.runs(), {x, y});
  check_shape(op, y, geometry.output_shape(x.tensor.shape(), x.tensor.shape()[1]));
  check_image_dtype(op, x);
  check_dtype(op, y, x.tensor.dtype());
  require<ShapeError>(2 * geometry.padding <= geometry.kernel,
                      "{}: padding {} is more than half of kernel {}", op, geometry.padding, geometry.kernel);
  if (!winner.tensor) return;
  check_operands(op, y.tensor.runs(), {y, winner});
  check_shape(op, winner, y.tensor.shape());
  check_dtype(op, winner, DType::kU8);
  require<ShapeError>(winner.tensor.layout() == y.tensor.layout(),
                      "{}: winner is in layout {} but {} is in {}", op, to_string(winner.tensor.layout()),
                      y.name, to_string(y.tensor.layout()));
  require<ShapeError>(geometry.kernel <= 16, "{}: winners of a kernel of {} do not fit into 8 bits", op,
                      geometry.kernel);
}

}  // namespace

void MaxPoolForward::check() const {
  check_pooling(kName, geometry, {"x", x}, {"y", y}, {"winner", winner});
  check_written(kName, {"y", y});
  if (winner) check_written(kName, {"winner", winner});
}

void MaxPoolBackward::check() const {
  require<ShapeError>(static_cast<bool>(winner), "{}: winner is missing", kName);
  check_pooling(kName, geometry, {"x_grad", x_grad}, {"y_grad", y_grad}, {"winner", winner});
  check_written(kName, {"x_grad", x_grad});
}

void AveragePoolForward::check() const {
  check_pooling(kName, geometry, {"x", x}, {"y", y}, {"winner", {}});
  check_written(kName, {"y", y});
}

void AveragePoolBackward::check() const {
  check_pooling(kName, geometry, {"x_grad", x_grad}, {"y_grad", y_grad}, {"winner", {}});
  check_written(kName, {"x_grad", x_grad});
}

}  // namespace gnc
