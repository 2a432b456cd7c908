#pragma once
/// Batch normalisation in training with the 2x2 maximum pooling behind it, in one op each way: the images
/// between the two, and their gradient, are never written. Dtypes as in engine/ops/batch_norm.h.

#include <string_view>

#include "engine/ops/batch_norm.h"
#include "engine/tensor.h"

namespace gnc {

/// BatchNormForward, then MaxPoolForward with kernel 2, stride 2 and no padding, to the bit: what the
/// normalisation and its activation give is rounded to the images' dtype, and of each window the first
/// largest wins, NaN before all.
/// x [N,C,H,W], H and W even; y and winner (uint8) [N,C,H/2,W/2]; all others [C]. Images lie in one layout.
/// Where a variance is given, so are mean and invstd, as of BatchNormForward.
struct BatchNormMaxPoolForward {
  ConstTensor x;
  ConstTensor scale;
  ConstTensor shift;
  Tensor running_mean;
  Tensor running_variance;
  Tensor mean;    // of this batch, kept for the backward pass
  Tensor invstd;  // likewise
  ConstTensor variance = {};
  Tensor y;
  Tensor winner;  // place 2·k+l in the window, likewise
  float epsilon = 1e-5F;
  float momentum = 0.1F;
  Activation activation = Activation::kNone;
  static constexpr std::string_view kName = "BatchNormMaxPoolForward";
  void check() const;
};

/// MaxPoolBackward, then BatchNormBackward: with g = the window's y_grad for the pixel that won it, if the
/// activation let that through, else 0, and x̂ = (x−mean)·invstd,
///   shift_grad = Σ g,  scale_grad = Σ g·x̂,  x_grad = scale·invstd·(g − shift_grad/m − x̂·scale_grad/m).
/// x, x_grad [N,C,H,W]; y_grad and winner (in [0,4)) [N,C,H/2,W/2]; all others [C]. Overwrites the gradients.
struct BatchNormMaxPoolBackward {
  ConstTensor x;
  ConstTensor scale;
  ConstTensor shift;
  ConstTensor mean;
  ConstTensor invstd;
  ConstTensor y_grad;
  ConstTensor winner;
  Tensor x_grad;
  Tensor scale_grad;
  Tensor shift_grad;
  Activation activation = Activation::kNone;
  static constexpr std::string_view kName = "BatchNormMaxPoolBackward";
  void check() const;
};

}  // namespace gnc
