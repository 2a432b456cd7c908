#pragma once
/// Inside the reference backend: its type, and one `execute` per op.

#include <string_view>

#include "engine/backend.h"

namespace gnc {

class ReferenceBackend final : public ImplementedBy<ReferenceBackend, AllOps> {
 public:
  explicit ReferenceBackend(Precision precision) : precision_(precision) {}
  std::string_view name() const override { return "reference"; }
  MemoryResource& memory() override { return memory_; }
  Precision precision() const override { return precision_; }

 private:
  Precision precision_;
  HostMemory memory_;
};

void execute(ReferenceBackend&, const Add& op);
void execute(ReferenceBackend&, const AugmentNormalize& op);
void execute(ReferenceBackend&, const AveragePoolBackward& op);
void execute(ReferenceBackend&, const AveragePoolForward& op);
void execute(ReferenceBackend&, const BatchNormApply& op);
void execute(ReferenceBackend&, const BatchNormBackward& op);
void execute(ReferenceBackend& reference, const BatchNormConv2dBackward& op);
void execute(ReferenceBackend&, const BatchNormForward& op);
void execute(ReferenceBackend&, const BatchNormInference& op);
void execute(ReferenceBackend&, const BatchNormInferenceBackward& op);
void execute(ReferenceBackend&, const BatchNormMaxPoolBackward& op);
void execute(ReferenceBackend&, const BatchNormMaxPoolForward& op);
void execute(ReferenceBackend&, const BatchNormSharedBackward& op);
void execute(ReferenceBackend&, const BatchNormSharedFinish& op);
void execute(ReferenceBackend&, const BatchNormStatistics& op);
void execute(ReferenceBackend& reference, const BatchNormSumConv2dBackward& op);
void execute(ReferenceBackend&, const BiasBackward& op);
void execute(ReferenceBackend&, const BiasForward& op);
void execute(ReferenceBackend&, const BoundaryStep& op);
void execute(ReferenceBackend&, const Conv2dBackwardInput& op);
void execute(ReferenceBackend&, const Conv2dBackwardWeights& op);
void execute(ReferenceBackend&, const Conv2dForward& op);
void execute(ReferenceBackend&, const ConvertLayout& op);
void execute(ReferenceBackend&, const CorrelationDescent& op);
void execute(ReferenceBackend&, const CrossEntropy& op);
void execute(ReferenceBackend&, const FixedClassifierLoss& op);
void execute(ReferenceBackend&, const FocalLoss& op);
void execute(ReferenceBackend&, const GaussianChannel& op);
void execute(ReferenceBackend&, const Gemm& op);
void execute(ReferenceBackend&, const LogOddsGradient& op);
void execute(ReferenceBackend&, const MaxPoolBackward& op);
void execute(ReferenceBackend&, const MaxPoolForward& op);
void execute(ReferenceBackend&, const NearestBoundary& op);
void execute(ReferenceBackend&, const NormalizeRowsBackward& op);
void execute(ReferenceBackend&, const NormalizeRowsForward& op);
void execute(ReferenceBackend&, const ProjectedStep& op);
void execute(ReferenceBackend&, const ReluBackward& op);
void execute(ReferenceBackend&, const ReluForward& op);
void execute(ReferenceBackend&, const SgdStep& op);
void execute(ReferenceBackend&, const SquaredError& op);
void execute(ReferenceBackend&, const SubsampleBackward& op);
void execute(ReferenceBackend&, const SubsampleForward& op);
void execute(ReferenceBackend&, const UfmDescent& op);

}  // namespace gnc
