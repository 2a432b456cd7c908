#pragma once
/// Two-dimensional convolution (cross-correlation, as the field uses the word), forward and both gradients.
/// Images and weights have one dtype: fp32, fp64 or bf16; biases and the gradients of weights and biases are
/// fp32 beside bf16. Sums are accumulated in fp32 or better; what is written in bf16 is rounded once. y and
/// its gradient may be slices of the channels of wider images (y_grad not where there is a bias_grad).

#include <string_view>

#include "engine/ops/batch_norm_shared.h"
#include "engine/ops/gradient_mode.h"
#include "engine/tensor.h"

namespace gnc {

/// Square geometry of a convolution or a pooling window; padding is zeros on all four sides.
struct Conv2dGeometry {
  int kernel = 3;
  int stride = 1;
  int padding = 1;

  /// floor((extent + 2·padding − kernel) / stride) + 1; 0 where the window does not fit.
  int output_extent(int extent) const {
    const int room = extent + 2 * padding - kernel;
    return room < 0 ? 0 : room / stride + 1;
  }
  /// Shape [N,channels,H',W'] of the output for an input [N,C,H,W]. Throws ShapeError when the window does
  /// not fit.
  Shape output_shape(const Shape& x, int channels) const;
  friend bool operator==(const Conv2dGeometry&, const Conv2dGeometry&) = default;
};

/// y[n,o,i,j] = bias[o] + Σ_{c,k,l} weights[o,c,k,l] · x[n, c, i·stride+k−padding, j·stride+l−padding].
/// x [N,C,H,W]; weights [O,C,K,K]; bias [O] or not given; y [N,O,H',W']. x may be shared by the runs (run
/// stride 0). mean, variance and invstd [O], all or none of them: BatchNormStatistics of y, for the batch
/// norm that takes it.
struct Conv2dForward {
  Conv2dGeometry geometry;
  ConstTensor x;
  ConstTensor weights;
  ConstTensor bias = {};
  Tensor y;
  Tensor mean = {};
  Tensor variance = {};
  Tensor invstd = {};
  float epsilon = 1e-5F;  // of invstd
  static constexpr std::string_view kName = "Conv2dForward";
  void check() const;
};

/// The op whose results its mean, variance and invstd are.
inline BatchNormStatistics statistics_of(const Conv2dForward& op) {
  return {.x = op.y, .mean = op.mean, .variance = op.variance, .invstd = op.invstd, .epsilon = op.epsilon};
}

/// Gradient with respect to the input: x_grad [N,C,H,W] from y_grad [N,O,H',W'] and weights [O,C,K,K].
/// Overwrites, or adds to the gradient that other consumers of x have already given it (bf16 rounds the sum).
struct Conv2dBackwardInput {
  Conv2dGeometry geometry;
  ConstTensor weights;
  ConstTensor y_grad;
  Tensor x_grad;
  GradientMode x_grad_mode = GradientMode::kOverwrite;
  static constexpr std::string_view kName = "Conv2dBackwardInput";
  void check() const;
};

/// Gradients with respect to the weights [O,C,K,K] (in the layout of the weights) and, where given, the bias
/// [O], summed over the batch. Overwrites; padding of blocked layouts becomes zero.
struct Conv2dBackwardWeights {
  Conv2dGeometry geometry;
  ConstTensor x;
  ConstTensor y_grad;
  Tensor weights_grad;
  Tensor bias_grad = {};
  static constexpr std::string_view kName = "Conv2dBackwardWeights";
  void check() const;
};

}  // namespace gnc
