#pragma once
/// A batch normalisation of shared channels and the convolution behind it, backward in one op: so that the
/// gradient between the two, as large as what is normalised, need not be written and read again.

#include <string_view>

#include "engine/ops/batch_norm_shared.h"
#include "engine/ops/conv2d.h"
#include "engine/tensor.h"

namespace gnc {

/// Conv2dBackwardInput and, of the gradient that it gives, BatchNormSharedBackward: what is written is what
/// the two write, but for `between`, which is room for the gradient between them. A backend may leave it
/// alone or leave anything there; one that writes the gradient rounds it to the dtype of the images, one that
/// does not takes it as it is summed, in fp32. y_grad [N,O,H',W']; weights [O,C,K,K]; x, between and x_grad
/// [N,C,H,W]; all others [C]. y_grad, x and x_grad may be slices of the channels of wider images.
struct BatchNormConv2dBackward {
  Conv2dGeometry geometry;
  ConstTensor weights;
  ConstTensor y_grad;
  ConstTensor x;
  ConstTensor scale;
  ConstTensor shift;
  ConstTensor mean;
  ConstTensor invstd;
  Tensor between;
  Tensor x_grad;
  Tensor scale_grad;
  Tensor shift_grad;
  Tensor deferred_mean;
  Tensor deferred_tilt;
  Activation activation = Activation::kNone;
  GradientMode deferred_mode = GradientMode::kOverwrite;
  static constexpr std::string_view kName = "BatchNormConv2dBackward";
  void check() const;
};

/// The two ops that it is, the convolution's first.
inline Conv2dBackwardInput convolution_of(const BatchNormConv2dBackward& op) {
  return {.geometry = op.geometry, .weights = op.weights, .y_grad = op.y_grad, .x_grad = op.between};
}
inline BatchNormSharedBackward normalization_of(const BatchNormConv2dBackward& op) {
  return {.x = op.x,
          .scale = op.scale,
          .shift = op.shift,
          .mean = op.mean,
          .invstd = op.invstd,
          .y_grad = op.between,
          .x_grad = op.x_grad,
          .scale_grad = op.scale_grad,
          .shift_grad = op.shift_grad,
          .deferred_mean = op.deferred_mean,
          .deferred_tilt = op.deferred_tilt,
          .activation = op.activation,
          .deferred_mode = op.deferred_mode};
}

}  // namespace gnc
