#pragma once
/// Element-by-element ops: ReLU, sums, the linear layer's bias and change of layout.

#include <string_view>

#include "engine/ops/batch_norm.h"
#include "engine/tensor.h"

namespace gnc {

/// y = max(x, 0); NaN stays NaN. Any shape; fp32, fp64 or bf16; y may be x.
struct ReluForward {
  ConstTensor x;
  Tensor y;
  static constexpr std::string_view kName = "ReluForward";
  void check() const;
};

/// x_grad = y_grad where y > 0, else 0. All fp32, fp64 or bf16. x_grad may be y_grad.
struct ReluBackward {
  ConstTensor y;
  ConstTensor y_grad;
  Tensor x_grad;
  static constexpr std::string_view kName = "ReluBackward";
  void check() const;
};

/// y = act(a + b): where two branches of a network meet, forward, and where their gradients do, backward.
/// NaN stays NaN. Any shape; all fp32, fp64 or bf16 (the sum is then taken in fp32 and rounded once). y may
/// be a, b or both. The backward pass of the activation is ReluBackward; that of the sum copies nothing.
struct Add {
  ConstTensor a;
  ConstTensor b;
  Tensor y;
  Activation activation = Activation::kNone;
  static constexpr std::string_view kName = "Add";
  void check() const;
};

/// y[n,o] += bias[o]. y [N,O] row-major; both fp32, or both fp64.
struct BiasForward {
  ConstTensor bias;
  Tensor y;
  static constexpr std::string_view kName = "BiasForward";
  void check() const;
};

/// bias_grad[o] = Σ_n y_grad[n,o]. Both fp32, or both fp64. Overwrites.
struct BiasBackward {
  ConstTensor y_grad;
  Tensor bias_grad;
  static constexpr std::string_view kName = "BiasBackward";
  void check() const;
};

/// y = x in the layout and dtype of y; padding of blocked layouts (reference and cpu only) becomes zero. Same
/// shape. The dtypes are the same (any), or two of fp32, fp64 (reference only) and bf16; towards the narrower
/// one numbers are rounded to nearest, ties to even, once.
struct ConvertLayout {
  ConstTensor x;
  Tensor y;
  static constexpr std::string_view kName = "ConvertLayout";
  void check() const;
};

}  // namespace gnc
