#pragma once
/// Batch normalisation (Ioffe, Szegedy 2015) over [N,C,H,W] or [N,C], per channel, with an optional ReLU
/// behind it, and before the ReLU an optional addend: the other branch of a residual connection. x, y, the
/// addend and their gradients have one dtype: fp32, fp64 or bf16; what is per channel is fp32 beside bf16.
/// What is written in bf16 is computed in fp32 or better and rounded once. x and x_grad may be slices of the
/// channels of wider images.

#include <string_view>

#include "engine/ops/gradient_mode.h"
#include "engine/tensor.h"

namespace gnc {

/// What follows a normalisation in the same pass.
enum class Activation : std::uint8_t { kNone, kRelu };

/// Training: normalises by the batch's own mean and biased variance over (N,H,W), and moves the running
/// statistics:
///   mean = Σx/m,  variance = Σ(x−mean)²/m,  invstd = 1/√(variance + epsilon),
///   y = act(scale·(x−mean)·invstd + shift + addend),
///   running ← (1−momentum)·running + momentum·batch, with the unbiased variance m/(m−1), as PyTorch
///   (biased for m = 1, which PyTorch refuses).
/// x, y [N,C,H,W], addend likewise or not given (0); all others [C]. Statistics are accumulated in fp32 or
/// better, without cancellation (not E[x²]−E[x]²). y may be the addend, but not x (the backward pass needs
/// x). Where a variance is given, so are mean and invstd: the statistics of x that a BatchNormStatistics or a
/// Conv2dForward has left, which are read.
struct BatchNormForward {
  ConstTensor x;
  ConstTensor scale;
  ConstTensor shift;
  Tensor running_mean;
  Tensor running_variance;
  Tensor mean;    // of this batch, kept for the backward pass
  Tensor invstd;  // likewise
  ConstTensor variance = {};
  ConstTensor addend = {};
  Tensor y;
  float epsilon = 1e-5F;
  float momentum = 0.1F;
  Activation activation = Activation::kNone;
  static constexpr std::string_view kName = "BatchNormForward";
  void check() const;
};

/// The y of a BatchNormForward once more, to the bit, from the statistics that it left: for a backward pass
/// that would rather compute y again than keep it. y = act(scale·(x−mean)·invstd + shift). y may not be x.
struct BatchNormApply {
  ConstTensor x;
  ConstTensor scale;
  ConstTensor shift;
  ConstTensor mean;
  ConstTensor invstd;
  Tensor y;
  Activation activation = Activation::kNone;
  static constexpr std::string_view kName = "BatchNormApply";
  void check() const;
};

/// Evaluation: y = act(scale·(x−running_mean)/√(running_variance+epsilon) + shift + addend). The addend is as
/// x, or not given (0). y may be x or the addend.
struct BatchNormInference {
  ConstTensor x;
  ConstTensor scale;
  ConstTensor shift;
  ConstTensor running_mean;
  ConstTensor running_variance;
  ConstTensor addend = {};
  Tensor y;
  float epsilon = 1e-5F;
  Activation activation = Activation::kNone;
  static constexpr std::string_view kName = "BatchNormInference";
  void check() const;
};

/// Backward of BatchNormForward. The ReLU mask is recomputed from x with the very expression of the forward
/// pass.
///   g = y_grad masked by the activation,  x̂ = (x−mean)·invstd,
///   shift_grad = Σ g,  scale_grad = Σ g·x̂,  x_grad = scale·invstd·(g − shift_grad/m − x̂·scale_grad/m).
/// x_grad may be y_grad, unless it accumulates: then x_grad holds the gradient that other consumers of x have
/// already given it, and this one is added (bf16 rounds the sum). Overwrites the other gradients.
///
/// Where the forward pass had an addend before its ReLU, the mask comes from its y, which is given then, and
/// g is the gradient of the addend, too: it is written to addend_grad, which may be y_grad, but not x_grad.
/// (Without a ReLU the gradient of an addend is y_grad.)
struct BatchNormBackward {
  ConstTensor x;
  ConstTensor scale;
  ConstTensor shift;
  ConstTensor mean;
  ConstTensor invstd;
  ConstTensor y = {};  // where there was an addend and a ReLU, with addend_grad
  ConstTensor y_grad;
  Tensor x_grad;
  Tensor addend_grad = {};
  Tensor scale_grad;
  Tensor shift_grad;
  Activation activation = Activation::kNone;
  GradientMode x_grad_mode = GradientMode::kOverwrite;
  static constexpr std::string_view kName = "BatchNormBackward";
  void check() const;
};

/// The gradient of BatchNormInference in its x, whose map is affine: with slope =
/// scale/√(running_variance+epsilon),
///   x_grad = slope·g,  g = y_grad masked by the activation, from x as in BatchNormBackward.
/// x_grad may be y_grad, unless it accumulates.
struct BatchNormInferenceBackward {
  ConstTensor x;
  ConstTensor scale;
  ConstTensor shift;
  ConstTensor running_mean;
  ConstTensor running_variance;
  ConstTensor y_grad;
  Tensor x_grad;
  float epsilon = 1e-5F;
  Activation activation = Activation::kNone;
  GradientMode x_grad_mode = GradientMode::kOverwrite;
  static constexpr std::string_view kName = "BatchNormInferenceBackward";
  void check() const;
};

}  // namespace gnc
