#pragma once
/// One step of stochastic gradient descent with momentum and weight decay over a whole range of parameters.

#include <cstdint>
#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// How the momentum buffer moves the values.
enum class MomentumKind : std::uint8_t {
  kClassical,  ///< along the buffer
  kNesterov,   ///< along the gradient and `momentum` times the buffer, as if it had looked one step ahead
};

/// As torch.optim.SGD (dampening 0):
///   step ← gradient + weight_decay·value, momentum_buffer ← momentum·momentum_buffer + step,
///   value ← value − learning_rate·momentum_buffer, or for kNesterov
///   value ← value − learning_rate·(step + momentum·momentum_buffer).
/// A buffer of zeros before the first step gives PyTorch's first step. All operands [n], one flat range of
/// the parameter arena, updated in place; fp32, or all fp64. bf16_values [n] bf16, where given, receives the
/// new values as they were stored, rounded to nearest, ties to even.
/// With `losses` [B], those whose mean the gradients descend, a run that has one that is not finite is left
/// as it was: values, momenta and bf16_values.
/// With `non_finite` [1] int32, an element whose new value or momentum would not be finite keeps both as they
/// were, and the flag of its run becomes 1 (nothing makes it 0 again; a run that is left as it was does not
/// raise it). So the state before a training diverged is not lost.
struct SgdStep {
  Tensor values;
  ConstTensor gradients;
  Tensor momentum_buffer;
  Tensor bf16_values = {};
  ConstTensor losses = {};
  Tensor non_finite = {};
  float learning_rate = 0;
  float momentum = 0;
  float weight_decay = 0;
  MomentumKind momentum_kind = MomentumKind::kClassical;
  static constexpr std::string_view kName = "SgdStep";
  void check() const;
};

}  // namespace gnc
