#pragma once
/// The focal loss, with its gradient.

#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// losses[b] = −(1−p)^γ·log p with p = softmax(logits[b])[labels[b]], γ = focusing (Lin et al. 2017, Eq. (4),
/// over a softmax, without weights of classes), and, where given, the gradient of their *mean*:
///   logits_grad[b,c] = (softmax(logits[b])[c] − [c = labels[b]])·((1−p)^γ − γ·p·(1−p)^(γ−1)·log p) / B.
/// γ = 0 is CrossEntropy. 1 − p is the sum of the other classes' probabilities, so nothing cancels as p → 1;
/// where it is 0, loss and gradient are 0 for γ > 0. Operands, predictions and logits that are not finite as
/// for CrossEntropy.
struct FocalLoss {
  ConstTensor logits;
  ConstTensor labels;
  Tensor losses;
  Tensor logits_grad = {};
  Tensor predictions = {};
  float focusing = 2;  ///< γ in [0,100]
  static constexpr std::string_view kName = "FocalLoss";
  void check() const;
};

}  // namespace gnc
