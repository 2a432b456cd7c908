#pragma once
/// Mean squared error of logits against one-hot targets, with its gradient.

#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// losses[b] = (1/C)·Σ_c (logits[b,c] − [c = labels[b]])² and, where given, the gradient of their *mean*:
///   logits_grad[b,c] = 2·(logits[b,c] − [c = labels[b]]) / (B·C).
/// The mean of the losses is torch.nn.MSELoss on one-hot targets, what published code on collapse under MSE
/// trains with. Theory writes 1/(2B)·Σ_b ‖logits[b] − onehot‖²: that is C/2 times this one, so a learning
/// rate for it is C/2 times larger here (and its weight decay 2/C times).
/// Operands and predictions as CrossEntropy's. A NaN logit gives a NaN loss, an infinite one +∞, and so may
/// finite ones from 1.8e19 on (fp32).
struct SquaredError {
  ConstTensor logits;
  ConstTensor labels;
  Tensor losses;
  Tensor logits_grad = {};
  Tensor predictions = {};
  static constexpr std::string_view kName = "SquaredError";
  void check() const;
};

}  // namespace gnc
