#pragma once
/// What an op costs, from its operands alone: the arithmetic and the traffic that no implementation can do
/// without.

#include "engine/ops/all.h"

namespace gnc {

/// Of all runs. Floating-point operations count a multiply-add as two, padding and comparisons included; a
/// loop whose length depends on the data is counted to its most steps. Bytes are those of the operands, each
/// read once and written once, an operand that is updated both; what all runs share counts once, of the
/// pictures that AugmentNormalize picks from those that it picks, and of images the places that a window
/// touches.
struct OpCost {
  double flops = 0;
  double bytes = 0;
  /// Of the bytes those of activations and their gradients (what grows with the batch); the others are
  /// parameters, gradients and momentum.
  double activation_bytes = 0;
};

OpCost cost_of(const Add& op);
OpCost cost_of(const AugmentNormalize& op);
OpCost cost_of(const AveragePoolBackward& op);
OpCost cost_of(const AveragePoolForward& op);
OpCost cost_of(const BatchNormApply& op);
OpCost cost_of(const BatchNormBackward& op);
OpCost cost_of(const BatchNormConv2dBackward& op);
OpCost cost_of(const BatchNormForward& op);
OpCost cost_of(const BatchNormInference& op);
OpCost cost_of(const BatchNormInferenceBackward& op);
OpCost cost_of(const BatchNormMaxPoolBackward& op);
OpCost cost_of(const BatchNormMaxPoolForward& op);
OpCost cost_of(const BatchNormSharedBackward& op);
OpCost cost_of(const BatchNormSharedFinish& op);
OpCost cost_of(const BatchNormStatistics& op);
OpCost cost_of(const BatchNormSumConv2dBackward& op);
OpCost cost_of(const BiasBackward& op);
OpCost cost_of(const BiasForward& op);
OpCost cost_of(const BoundaryStep& op);
OpCost cost_of(const Conv2dBackwardInput& op);
OpCost cost_of(const Conv2dBackwardWeights& op);
OpCost cost_of(const Conv2dForward& op);
OpCost cost_of(const ConvertLayout& op);
OpCost cost_of(const CorrelationDescent& op);
OpCost cost_of(const CrossEntropy& op);
OpCost cost_of(const FixedClassifierLoss& op);
OpCost cost_of(const FocalLoss& op);
OpCost cost_of(const GaussianChannel& op);
OpCost cost_of(const Gemm& op);
OpCost cost_of(const LogOddsGradient& op);
OpCost cost_of(const MaxPoolBackward& op);
OpCost cost_of(const MaxPoolForward& op);
OpCost cost_of(const NearestBoundary& op);
OpCost cost_of(const NormalizeRowsBackward& op);
OpCost cost_of(const NormalizeRowsForward& op);
OpCost cost_of(const ProjectedStep& op);
OpCost cost_of(const ReluBackward& op);
OpCost cost_of(const ReluForward& op);
OpCost cost_of(const SgdStep& op);
OpCost cost_of(const SquaredError& op);
OpCost cost_of(const SubsampleBackward& op);
OpCost cost_of(const SubsampleForward& op);
OpCost cost_of(const UfmDescent& op);

/// Bytes of a tensor's elements, of all runs that have their own; 0 where it is not given.
double bytes_of(const ConstTensor& tensor);

}  // namespace gnc
