#pragma once
/// Batch normalisation of channels that several layers normalise, as those of a dense block. In training
/// every one of them takes the same mean and variance of a channel, and has its own scale, shift and running
/// statistics. Dtypes, layouts and slices are those of engine/ops/batch_norm.h; what is per channel may be a
/// part of longer vectors.

#include <string_view>

#include "engine/ops/batch_norm.h"
#include "engine/tensor.h"

namespace gnc {

/// Statistics of a batch, for all who normalise it:
///   mean = Σx/m,  variance = Σ(x−mean)²/m,  invstd = 1/√(variance + epsilon).
/// x [N,C,H,W], m = N·H·W; all others [C]. Accumulated as in BatchNormForward.
struct BatchNormStatistics {
  ConstTensor x;
  Tensor mean;
  Tensor variance;
  Tensor invstd;
  float epsilon = 1e-5F;
  static constexpr std::string_view kName = "BatchNormStatistics";
  void check() const;
};

/// Backward of a BatchNormForward with these statistics given. BatchNormBackward's gradient of x,
///   slope·(g − shift_grad/m − x̂·scale_grad/m)  with slope = scale·invstd, g and x̂ as there,
/// takes sums over the batch that are known only behind a pass over x and y_grad. Here that pass adds what is
/// known before, and leaves the rest, an affine map of x, as two numbers a channel, which are overwritten or
/// added to as `deferred_mode` says:
///   x_grad += slope·g,  deferred_mean (+)= slope·shift_grad/m,  deferred_tilt (+)=
///   slope·invstd·scale_grad/m.
/// Once all who normalise these channels have been here, BatchNormSharedFinish makes x_grad what it has to
/// be. x, y_grad, x_grad [N,C,H,W]; all others [C]. x_grad may not be y_grad.
struct BatchNormSharedBackward {
  ConstTensor x;
  ConstTensor scale;
  ConstTensor shift;
  ConstTensor mean;
  ConstTensor invstd;
  ConstTensor y_grad;
  Tensor x_grad;
  Tensor scale_grad;
  Tensor shift_grad;
  Tensor deferred_mean;
  Tensor deferred_tilt;
  Activation activation = Activation::kNone;
  GradientMode deferred_mode = GradientMode::kOverwrite;
  static constexpr std::string_view kName = "BatchNormSharedBackward";
  void check() const;
};

/// x_grad −= deferred_mean + (x−mean)·deferred_tilt. x, x_grad [N,C,H,W]; all others [C].
struct BatchNormSharedFinish {
  ConstTensor x;
  ConstTensor mean;
  ConstTensor deferred_mean;
  ConstTensor deferred_tilt;
  Tensor x_grad;
  static constexpr std::string_view kName = "BatchNormSharedFinish";
  void check() const;
};

}  // namespace gnc
