#pragma once
/// What the classification losses (CrossEntropy, SquaredError, FocalLoss) demand of their operands.

#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// The operands of a classification loss; its header says what they hold.
struct LossOperands {
  const ConstTensor& logits;
  const ConstTensor& labels;
  const Tensor& losses;
  const Tensor& logits_grad;
  const Tensor& predictions;
};

/// Throws ShapeError unless logits are [B,C] (B, C >= 1), labels [B] int32, losses [B] and, where given,
/// logits_grad [B,C] and predictions [B] int32; all others fp32, or all fp64.
void check_loss_operands(std::string_view op, const LossOperands& operands);

}  // namespace gnc
