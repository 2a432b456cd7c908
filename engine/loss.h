#pragma once
/// What a network is trained to make small.

#include <cstdint>

#include "engine/backend.h"

namespace gnc {

enum class LossKind : std::uint8_t { kCrossEntropy, kSquaredError, kFocal };

/// A classification loss and its settings. What does not belong to its kind is not looked at.
struct LossFunction {
  LossKind kind = LossKind::kCrossEntropy;
  float label_smoothing = 0;  ///< ε of kCrossEntropy, in [0,1)
  float focusing = 2;         ///< γ of kFocal, in [0,100]

  /// Eq. (1), the paper's.
  bool is_plain_cross_entropy() const { return kind == LossKind::kCrossEntropy && label_smoothing == 0; }

  /// Losses [B] of logits [B,C] with these labels, and the gradient of their mean in place of the logits.
  void run(Backend& backend, const Tensor& logits, const ConstTensor& labels, const Tensor& losses) const {
    switch (kind) {
      case LossKind::kCrossEntropy:
        return backend.run(CrossEntropy{.logits = logits,
                                        .labels = labels,
                                        .losses = losses,
                                        .logits_grad = logits,
                                        .label_smoothing = label_smoothing});
      case LossKind::kSquaredError:
        return backend.run(
            SquaredError{.logits = logits, .labels = labels, .losses = losses, .logits_grad = logits});
      case LossKind::kFocal:
        return backend.run(FocalLoss{.logits = logits,
                                     .labels = labels,
                                     .losses = losses,
                                     .logits_grad = logits,
                                     .focusing = focusing});
    }
  }
};

}  // namespace gnc
