#pragma once
/// What the checks of the ops that convolve share.

#include <string_view>

#include "engine/ops/conv2d.h"
#include "engine/ops/op.h"

namespace gnc {

/// Throws ShapeError unless shapes and dtypes are those of a convolution. x, weights and y may be their
/// gradients; `weights_dtype` is that of the weights, or of their gradient; the bias may be missing.
void check_convolution(std::string_view op, const Conv2dGeometry& geometry, const Operand& x,
                       const Operand& weights, DType weights_dtype, const Operand& bias, const Operand& y);

}  // namespace gnc
