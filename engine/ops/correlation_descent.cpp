#include "engine/ops/correlation_descent.h"

#include "engine/ops/op.h"

namespace gnc {

std::string_view to_string(FrameObjective objective) {
  return objective == FrameObjective::kSigned ? "signed" : "absolute";
}

void CorrelationDescent::check() const {
  const Operand reals[] = {{"vectors", vectors}, {"first_sharpness", first_sharpness}, {"values", values}};
  check_operands(kName, values.runs(), {reals[0], reals[1], reals[2]});
  require<ShapeError>(num_vectors() >= 2 && dim() >= 1,
                      "{}: vectors {} must be two or more of one dimension or more", kName,
                      vectors.to_string());
  require<ShapeError>(
      iterations_per_stage >= 1 && growth >= 1.01 && last_sharpness > 0 && last_sharpness <= 1e9,
      "{}: {} iterations a stage, growth {}, last sharpness {}; expected at least 1, at least 1.01, "
      "and a number in (0, 1e9]",
      kName, iterations_per_stage, growth, last_sharpness);
  check_shape(kName, reals[0], {num_vectors(), dim()});
  check_shape(kName, reals[1], {1});
  check_shape(kName, reals[2], {1});
  check_wide_dtype(kName, reals[0]);
  for (const Operand& operand : reals) check_dtype(kName, operand, vectors.dtype());
  check_written(kName, reals[0]);
  check_written(kName, reals[2]);
}

}  // namespace gnc
