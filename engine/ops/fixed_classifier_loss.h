#pragma once
/// The head of the paper's network in training: attached linear layer, fixed classifier and Eq. (1), with all
/// gradients.

#include <string_view>

#include "engine/ops/cross_entropy.h"
#include "engine/ops/gemm.h"
#include "engine/ops/pointwise.h"
#include "engine/tensor.h"

namespace gnc {

/// From the backbone's output to the loss and back, in one op:
///   features = x·Wᵀ + bias [B,d], logits[b,y] = ⟨M_y, features[b]⟩ [B,C], losses as CrossEntropy, and the
/// gradients of the *mean* loss over the batch to x, W and bias; the frame M is fixed and has none. Features
/// and logits exist only inside.
/// x [B,F]; weights W [d,F]; bias [d]; frame [C,d], row y being M_y; labels [B] int32 in [0,C), checked on
/// the host when the batch is made; losses [B]; x_grad [B,F]; weights_grad [d,F]; bias_grad [d]. All but
/// labels fp32, or all fp64; row-major. x and labels may be shared by runs. Nothing that is written may
/// overlap another operand: x_grad is not x. A NaN or +∞ logit gives a NaN loss, and NaN gradients with it.
struct FixedClassifierLoss {
  ConstTensor x;
  ConstTensor weights;
  ConstTensor bias;
  ConstTensor frame;
  ConstTensor labels;
  Tensor losses;
  Tensor x_grad;
  Tensor weights_grad;
  Tensor bias_grad;
  static constexpr std::string_view kName = "FixedClassifierLoss";

  int batch() const { return x.shape()[0]; }              // B
  int in_features() const { return x.shape()[1]; }        // F
  int feature_dim() const { return weights.shape()[0]; }  // d
  int num_classes() const { return frame.shape()[0]; }    // C
  int runs() const { return losses.runs(); }
  void check() const;
};

/// Intermediate results of a FixedClassifierLoss that is composed of other ops, in the dtype of the operands.
struct FixedClassifierLossScratch {
  Tensor features;  // [B,d], later their gradient
  Tensor logits;    // [B,C], later their gradient

  /// Bytes of memory that hold both, aligned to MemoryResource::kAlignment.
  static std::size_t bytes(const FixedClassifierLoss& op);
  /// Places both at `data`, which lies in `memory`.
  FixedClassifierLossScratch(const FixedClassifierLoss& op, void* data, MemoryResource& memory);
};

/// Calls `run(op)` for the ops that a FixedClassifierLoss is made of, in their order: for backends that have
/// no better way.
template <class Run>
void run_composed(const FixedClassifierLoss& op, const FixedClassifierLossScratch& scratch, const Run& run) {
  const auto& [features, logits] = scratch;
  run(Gemm{.a = op.x, .b = op.weights, .c = features, .transpose_b = Transpose::kYes});
  run(BiasForward{.bias = op.bias, .y = features});
  run(Gemm{.a = features, .b = op.frame, .c = logits, .transpose_b = Transpose::kYes});
  run(CrossEntropy{.logits = logits, .labels = op.labels, .losses = op.losses, .logits_grad = logits});
  run(Gemm{.a = logits, .b = op.frame, .c = features});
  run(Gemm{.a = features, .b = op.x, .c = op.weights_grad, .transpose_a = Transpose::kYes});
  run(BiasBackward{.y_grad = features, .bias_grad = op.bias_grad});
  run(Gemm{.a = features, .b = op.weights, .c = op.x_grad});
}

}  // namespace gnc
