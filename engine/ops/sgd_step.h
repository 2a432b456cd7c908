#pragma once
/// One step of stochastic gradient descent with momentum and weight decay over a whole range of parameters.

#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// As torch.optim.SGD (dampening 0, no Nesterov):
///   momentum_buffer ← momentum·momentum_buffer + (gradient + weight_decay·value),
///   value ← value − learning_rate·momentum_buffer.
/// A buffer of zeros before the first step gives PyTorch's first step. All operands [n], one flat range of
/// the parameter arena, updated in place; fp32, or all fp64. bf16_values [n] bf16, where given, receives the
/// new values as they were stored, rounded to nearest, ties to even.
struct SgdStep {
  Tensor values;
  ConstTensor gradients;
  Tensor momentum_buffer;
  Tensor bf16_values = {};
  float learning_rate = 0;
  float momentum = 0;
  float weight_decay = 0;
  static constexpr std::string_view kName = "SgdStep";
  void check() const;
};

}  // namespace gnc
