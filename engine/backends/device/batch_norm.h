#pragma once
/// What the ops of batch normalisation share: their operands in the words of the kernels.

#include <string_view>

#include "engine/backends/device/support.h"
#include "engine/ops/batch_norm.h"
#include "kernels/batch_norm.h"

namespace gnc {
inline namespace KERNEL_TARGET {

/// The images as the matrix [N·H·W, C] that they are in every layout with channels side by side.
inline kernels::BatchNormExtents extents_of(std::string_view op, const ConstTensor& x) {
  static_cast<void>(image_strides(op, "x", x));  // refuses other layouts
  const Shape& shape = x.shape();
  return {.rows = shape.elements() / shape[1], .channels = shape[1], .runs = x.runs()};
}

inline kernels::Activation activation_of(Activation activation) {
  return activation == Activation::kRelu ? kernels::Activation::kRelu : kernels::Activation::kNone;
}

inline kernels::GradientMode mode_of(GradientMode mode) {
  return mode == GradientMode::kAccumulate ? kernels::GradientMode::kAccumulate
                                           : kernels::GradientMode::kOverwrite;
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
