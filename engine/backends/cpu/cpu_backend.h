#pragma once
/// The backend of machines without a GPU: convolutions and matrix products of oneDNN, OpenMP loops for the
/// rest.

#include <cstddef>
#include <memory>
#include <string_view>

#include "engine/backend.h"

namespace gnc {

class CpuBackend;
class PrimitiveCache;

// One overload per op; each is defined in the file named as the op's header.
void execute(CpuBackend& cpu, const Add& op);
void execute(CpuBackend& cpu, const AugmentNormalize& op);
void execute(CpuBackend& cpu, const AveragePoolBackward& op);
void execute(CpuBackend& cpu, const AveragePoolForward& op);
void execute(CpuBackend& cpu, const BatchNormApply& op);
void execute(CpuBackend& cpu, const BatchNormBackward& op);
void execute(CpuBackend& cpu, const BatchNormConv2dBackward& op);
void execute(CpuBackend& cpu, const BatchNormForward& op);
void execute(CpuBackend& cpu, const BatchNormInference& op);
void execute(CpuBackend& cpu, const BatchNormInferenceBackward& op);
void execute(CpuBackend& cpu, const BatchNormMaxPoolBackward& op);
void execute(CpuBackend& cpu, const BatchNormMaxPoolForward& op);
void execute(CpuBackend& cpu, const BatchNormSharedBackward& op);
void execute(CpuBackend& cpu, const BatchNormSharedFinish& op);
void execute(CpuBackend& cpu, const BatchNormStatistics& op);
void execute(CpuBackend& cpu, const BatchNormSumConv2dBackward& op);
void execute(CpuBackend& cpu, const BiasBackward& op);
void execute(CpuBackend& cpu, const BiasForward& op);
void execute(CpuBackend& cpu, const BoundaryStep& op);
void execute(CpuBackend& cpu, const Conv2dBackwardInput& op);
void execute(CpuBackend& cpu, const Conv2dBackwardWeights& op);
void execute(CpuBackend& cpu, const Conv2dForward& op);
void execute(CpuBackend& cpu, const ConvertLayout& op);
void execute(CpuBackend& cpu, const CorrelationDescent& op);
void execute(CpuBackend& cpu, const CrossEntropy& op);
void execute(CpuBackend& cpu, const FixedClassifierLoss& op);
void execute(CpuBackend& cpu, const FocalLoss& op);
void execute(CpuBackend& cpu, const GaussianChannel& op);
void execute(CpuBackend& cpu, const Gemm& op);
void execute(CpuBackend& cpu, const LogOddsGradient& op);
void execute(CpuBackend& cpu, const MaxPoolBackward& op);
void execute(CpuBackend& cpu, const MaxPoolForward& op);
void execute(CpuBackend& cpu, const NearestBoundary& op);
void execute(CpuBackend& cpu, const NormalizeRowsBackward& op);
void execute(CpuBackend& cpu, const NormalizeRowsForward& op);
void execute(CpuBackend& cpu, const ProjectedStep& op);
void execute(CpuBackend& cpu, const ReluBackward& op);
void execute(CpuBackend& cpu, const ReluForward& op);
void execute(CpuBackend& cpu, const SgdStep& op);
void execute(CpuBackend& cpu, const SquaredError& op);
void execute(CpuBackend& cpu, const SubsampleBackward& op);
void execute(CpuBackend& cpu, const SubsampleForward& op);
void execute(CpuBackend& cpu, const UfmDescent& op);

/// Runs every op in fp32, images in NHWC. Ops run on the calling thread's OpenMP team; one thread may call at
/// a time. Every op gives the same bits on any number of threads: no sum is ever split by threads, only by
/// shapes. (Between instruction sets, AVX2 and AVX-512, oneDNN's convolutions differ in rounding.)
class CpuBackend final : public ImplementedBy<CpuBackend, AllOps> {
 public:
  CpuBackend();
  ~CpuBackend() override;

  std::string_view name() const override { return "cpu"; }
  MemoryResource& memory() override { return memory_; }
  /// The blocked format in which oneDNN's direct convolutions read weights beside NHWC images; never depends
  /// on the batch size. With other formats oneDNN 2.6 falls back on slower kernels, of small images above
  /// all.
  Layout weights_layout(const Shape& shape) const override;

  /// The workspace and oneDNN's scratchpad: the same after every step that repeats the first one's shapes.
  std::size_t workspace_bytes() const override;

  PrimitiveCache& primitives() { return *primitives_; }
  /// Scratch memory of one op: at least `bytes`, contents unspecified, valid until the next call. Grows,
  /// never shrinks.
  void* workspace(std::size_t bytes);

 private:
  HostMemory memory_;
  std::unique_ptr<PrimitiveCache> primitives_;
  Buffer workspace_;
};

/// The backend "cpu".
std::unique_ptr<Backend> open_cpu_backend();

}  // namespace gnc
