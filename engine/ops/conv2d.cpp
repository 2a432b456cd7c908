#include "engine/ops/conv2d.h"

#include "engine/ops/conv2d_check.h"
#include "engine/ops/op.h"

namespace gnc {
void check_convolution(std::string_view op, const Conv2dGeometry& geometry, const Operand& x,
                       const Operand& weights, DType weights_dtype, const Operand& bias, const Operand& y) {
  check_operands(op, y.tensor.runs(), {x, weights, {y.name, y.tensor, Slices::kTaken}});
  const Shape& input = x.tensor.shape();
  const Shape& kernel = weights.tensor.shape();
  require<ShapeError>(kernel[1] == input[1], "{}: {} have {} input channels but {} {} has {}", op,
                      weights.name, kernel[1], x.name, input.to_string(), input[1]);
  check_shape(op, weights, {kernel[0], input[1], geometry.kernel, geometry.kernel});
  check_shape(op, y, geometry.output_shape(input, kernel[0]));
  check_image_dtype(op, x);
  check_dtype(op, weights, weights_dtype);
  check_dtype(op, y, x.tensor.dtype());
  if (!bias.tensor) return;
  check_operands(op, y.tensor.runs(), {x, bias});
  check_shape(op, bias, {kernel[0]});
  check_dtype(op, bias, dtype_beside(x.tensor.dtype()));
}

Shape Conv2dGeometry::output_shape(const Shape& x, int channels) const {
  require<ShapeError>(kernel >= 1 && stride >= 1 && padding >= 0 && padding < kernel,
                      "a window of kernel {}, stride {} and padding {} makes no sense", kernel, stride,
                      padding);
  require<ShapeError>(x[2] + 2 * padding >= kernel && x[3] + 2 * padding >= kernel,
                      "a window of {}x{} with padding {} does not fit into images {}", kernel, kernel,
                      padding, x.to_string());
  return Shape({x[0], channels, output_extent(x[2]), output_extent(x[3])}, x.runs());
}

void Conv2dForward::check() const {
  check_convolution(kName, geometry, {"x", x}, {"weights", weights}, x.dtype(), {"bias", bias}, {"y", y});
  check_written(kName, {"y", y});
  if (!mean && !variance && !invstd) return;
  require<ShapeError>(mean && variance && invstd, "{}: of mean, variance and invstd some are missing", kName);
  statistics_of(*this).check();
}

void Conv2dBackwardInput::check() const {
  check_convolution(kName, geometry, {"x_grad", x_grad}, {"weights", weights}, x_grad.dtype(), {"bias", {}},
                    {"y_grad", y_grad});
  check_written(kName, {"x_grad", x_grad});
}

void Conv2dBackwardWeights::check() const {
  check_convolution(kName, geometry, {"x", x}, {"weights_grad", weights_grad}, dtype_beside(x.dtype()),
                    {"bias_grad", bias_grad}, {"y_grad", y_grad});
  check_written(kName, {"weights_grad", weights_grad});
  if (!bias_grad) return;
  check_written(kName, {"bias_grad", bias_grad});
  require_dense(kName, {"y_grad", y_grad});
}

}  // namespace gnc
