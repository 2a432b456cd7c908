#include "engine/ops/gemm.h"

#include "engine/ops/op.h"

namespace gnc {

void Gemm::check() const {
  check_operands(kName, c.runs(), {{"a", a}, {"b", b}, {"c", c}});
  const bool flip_a = transpose_a == Transpose::kYes, flip_b = transpose_b == Transpose::kYes;
  check_shape(kName, {"c", c}, {rows(), columns()});
  check_shape(kName, {"a", a}, flip_a ? Shape{depth(), rows()} : Shape{rows(), depth()});
  check_shape(kName, {"b", b}, flip_b ? Shape{columns(), depth()} : Shape{depth(), columns()});
  check_wide_dtype(kName, {"c", c});
  for (const Operand& operand : {Operand{"a", a}, Operand{"b", b}, Operand{"c", c}}) {
    check_dtype(kName, operand, c.dtype());
    require<ShapeError>(operand.tensor.layout() == Layout::kRowMajor,
                        "{}: {} is in layout {} but must be row-major", kName, operand.name,
                        to_string(operand.tensor.layout()));
  }
  check_written(kName, {"c", c});
}

}  // namespace gnc
