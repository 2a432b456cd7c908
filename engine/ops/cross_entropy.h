#pragma once
/// Softmax cross-entropy, Eq. (1), with its gradient.

#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// losses[b] = −log softmax(logits[b])[labels[b]] and, where given, the gradient of their *mean*:
///   logits_grad[b,c] = (softmax(logits[b])[c] − [c = labels[b]]) / B.
/// Computed as log Σ exp(z − max z), so it overflows for no finite logits; a NaN or +∞ logit gives a NaN
/// loss. logits [B,C]; labels [B] int32 in [0,C), checked on the host when the batch is made (shared by runs
/// or not); losses [B]; logits_grad [B,C] or not given, may be logits; predictions [B] int32 or not given:
/// the first largest logit. All but labels and predictions fp32, or all fp64.
struct CrossEntropy {
  ConstTensor logits;
  ConstTensor labels;
  Tensor losses;
  Tensor logits_grad = {};
  Tensor predictions = {};
  static constexpr std::string_view kName = "CrossEntropy";
  void check() const;
};

}  // namespace gnc
