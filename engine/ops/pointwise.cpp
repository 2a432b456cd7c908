#include "engine/ops/pointwise.h"

#include "engine/ops/op.h"

namespace gnc {
namespace {

void check_alike(std::string_view op, const Operand& written, std::initializer_list<Operand> others) {
  check_operands(op, written.tensor.runs(), {written});
  check_operands(op, written.tensor.runs(), others);
  check_image_dtype(op, written);
  for (const Operand& other : others) {
    check_shape(op, other, written.tensor.shape());
    check_dtype(op, other, written.tensor.dtype());
    require<ShapeError>(other.tensor.layout() == written.tensor.layout(),
                        "{}: {} is in layout {} but {} is in {}", op, other.name,
                        to_string(other.tensor.layout()), written.name, to_string(written.tensor.layout()));
  }
  check_written(op, written);
}

void check_bias(std::string_view op, const Operand& bias, const Operand& y) {
  check_operands(op, y.tensor.runs(), {bias, y});
  check_shape(op, y, {y.tensor.shape()[0], y.tensor.shape()[1]});
  check_shape(op, bias, {y.tensor.shape()[1]});
  check_wide_dtype(op, y);
  check_dtype(op, bias, y.tensor.dtype());
}

}  // namespace

void ReluForward::check() const { check_alike(kName, {"y", y}, {{"x", x}}); }

void ReluBackward::check() const { check_alike(kName, {"x_grad", x_grad}, {{"y", y}, {"y_grad", y_grad}}); }

void Add::check() const { check_alike(kName, {"y", y}, {{"a", a}, {"b", b}}); }

void BiasForward::check() const {
  check_bias(kName, {"bias", bias}, {"y", y});
  check_written(kName, {"y", y});
}

void BiasBackward::check() const {
  check_bias(kName, {"bias_grad", bias_grad}, {"y_grad", y_grad});
  check_written(kName, {"bias_grad", bias_grad});
}

void ConvertLayout::check() const {
  check_operands(kName, y.runs(), {{"x", x}, {"y", y}});
  check_shape(kName, {"y", y}, x.shape());
  if (y.dtype() != x.dtype())
    for (const Operand& converted : {Operand{"x", x}, Operand{"y", y}}) check_image_dtype(kName, converted);
  check_written(kName, {"y", y});
  require<ShapeError>(x.raw() != y.raw(), "{}: y must not be x", kName);
}

}  // namespace gnc
