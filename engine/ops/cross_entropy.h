#pragma once
/// Softmax cross-entropy, Eq. (1), with its gradient; label smoothing optional.

#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// losses[b] = −Σ_c t_c·log softmax(logits[b])[c] with t_c = (1−ε)·[c = labels[b]] + ε/C, ε = label_smoothing
/// (torch.nn.CrossEntropyLoss; 0: Eq. (1)), and, where given, the gradient of their *mean*:
///   logits_grad[b,c] = (softmax(logits[b])[c] − t_c) / B.
/// Computed as log Σ exp(z − max z), so it overflows for no finite logits; a NaN or +∞ logit gives a NaN
/// loss, and a logit of −∞ the loss +∞ where t_c > 0. logits [B,C]; labels [B] int32 in [0,C), checked on the
/// host when the batch is made (shared by runs or not); losses [B]; logits_grad [B,C] or not given, may be
/// logits; predictions [B] int32 or not given: the first largest logit. All but labels and predictions fp32,
/// or all fp64.
struct CrossEntropy {
  ConstTensor logits;
  ConstTensor labels;
  Tensor losses;
  Tensor logits_grad = {};
  Tensor predictions = {};
  float label_smoothing = 0;  ///< ε in [0,1)
  static constexpr std::string_view kName = "CrossEntropy";
  void check() const;
};

}  // namespace gnc
