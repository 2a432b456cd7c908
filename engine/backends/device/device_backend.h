#pragma once
/// The backends `cuda` and `simt`: the same ops on the same kernels, on a GPU and on the host emulator. This
/// folder's op files are compiled once for each (KERNEL_TARGET), and both lie in one program.

#include <functional>
#include <memory>

#include "engine/backend.h"
#include "kernels/math_mode.h"
#include "kernels/stream.h"

namespace gnc {
inline namespace KERNEL_TARGET {

class DeviceBackend;

// One overload per op; each is defined in the file named as the op's header.
void execute(DeviceBackend& device, const Add& op);
void execute(DeviceBackend& device, const AugmentNormalize& op);
void execute(DeviceBackend& device, const AveragePoolBackward& op);
void execute(DeviceBackend& device, const AveragePoolForward& op);
void execute(DeviceBackend& device, const BatchNormApply& op);
void execute(DeviceBackend& device, const BatchNormBackward& op);
void execute(DeviceBackend& device, const BatchNormConv2dBackward& op);
void execute(DeviceBackend& device, const BatchNormForward& op);
void execute(DeviceBackend& device, const BatchNormInference& op);
void execute(DeviceBackend& device, const BatchNormInferenceBackward& op);
void execute(DeviceBackend& device, const BatchNormMaxPoolBackward& op);
void execute(DeviceBackend& device, const BatchNormMaxPoolForward& op);
void execute(DeviceBackend& device, const BatchNormSharedBackward& op);
void execute(DeviceBackend& device, const BatchNormSharedFinish& op);
void execute(DeviceBackend& device, const BatchNormStatistics& op);
void execute(DeviceBackend& device, const BatchNormSumConv2dBackward& op);
void execute(DeviceBackend& device, const BiasBackward& op);
void execute(DeviceBackend& device, const BiasForward& op);
void execute(DeviceBackend& device, const BoundaryStep& op);
void execute(DeviceBackend& device, const Conv2dBackwardInput& op);
void execute(DeviceBackend& device, const Conv2dBackwardWeights& op);
void execute(DeviceBackend& device, const Conv2dForward& op);
void execute(DeviceBackend& device, const ConvertLayout& op);
void execute(DeviceBackend& device, const CorrelationDescent& op);
void execute(DeviceBackend& device, const CrossEntropy& op);
void execute(DeviceBackend& device, const FixedClassifierLoss& op);
void execute(DeviceBackend& device, const FocalLoss& op);
void execute(DeviceBackend& device, const GaussianChannel& op);
void execute(DeviceBackend& device, const Gemm& op);
void execute(DeviceBackend& device, const LogOddsGradient& op);
void execute(DeviceBackend& device, const MaxPoolBackward& op);
void execute(DeviceBackend& device, const MaxPoolForward& op);
void execute(DeviceBackend& device, const NearestBoundary& op);
void execute(DeviceBackend& device, const NormalizeRowsBackward& op);
void execute(DeviceBackend& device, const NormalizeRowsForward& op);
void execute(DeviceBackend& device, const ProjectedStep& op);
void execute(DeviceBackend& device, const ReluBackward& op);
void execute(DeviceBackend& device, const ReluForward& op);
void execute(DeviceBackend& device, const SgdStep& op);
void execute(DeviceBackend& device, const SquaredError& op);
void execute(DeviceBackend& device, const SubsampleBackward& op);
void execute(DeviceBackend& device, const SubsampleForward& op);
void execute(DeviceBackend& device, const UfmDescent& op);

/// Maps op values to kernel launchers. Images are NHWC or HWNC, weights O,KH,KW,I (kNHWC). Every op gives the
/// same bits on every run, and the same bits to a run of an ensemble as to the run alone.
class DeviceBackend : public ImplementedBy<DeviceBackend, AllOps> {
 public:
  Precision precision() const override { return precision_; }
  MemoryResource& memory() override { return *memory_; }
  std::size_t workspace_bytes() const override {
    return workspace_.bytes() + composite_workspace_.bytes() + tickets_.bytes();
  }

  kernels::Stream stream() const { return stream_; }
  /// How operands stored in fp32 are multiplied.
  kernels::MathMode math() const {
    return precision_ == Precision::kTf32 ? kernels::MathMode::kTf32 : kernels::MathMode::kFp32;
  }
  /// Scratch memory of one op: at least `bytes`, contents unspecified, valid until the next call. Grows,
  /// never shrinks.
  void* workspace(std::size_t bytes) {
    scratch_bytes_ += bytes;
    return grown(workspace_, bytes);
  }
  /// All that workspace() was asked for: partial results, written once and read once.
  std::size_t scratch_bytes() const { return scratch_bytes_; }
  /// The same for an op that runs other ops: those leave it alone.
  void* composite_workspace(std::size_t bytes) { return grown(composite_workspace_, bytes); }
  /// At least `count` counters, all zero; a kernel that counts with them leaves them so. They are in no
  /// workspace, since every other op would have to leave zeros there; and setting them before every launch
  /// would be a launch more.
  int* tickets(int count);

  // Whether a vendor's library computed the op instead of a kernel of ours; `own` would queue that.
  virtual bool run_in_library(const Gemm&) { return false; }
  virtual bool run_in_library(const Conv2dForward&, const std::function<void()>& own);
  virtual bool run_in_library(const Conv2dBackwardInput&, const std::function<void()>& own);
  virtual bool run_in_library(const Conv2dBackwardWeights&, const std::function<void()>& own);
  /// Whether a library may compute convolutions: then the backward passes of two layers are not one kernel.
  virtual bool has_convolution_library() const { return false; }

 protected:
  /// `memory` belongs to the stream.
  DeviceBackend(std::unique_ptr<MemoryResource> memory, kernels::Stream stream, Precision precision)
      : memory_(std::move(memory)), stream_(stream), precision_(precision) {}
  /// A workspace is about to move: recorded steps hold its old address.
  virtual void workspace_moved() {}

 private:
  void* grown(Buffer& buffer, std::size_t bytes);

  std::unique_ptr<MemoryResource> memory_;
  kernels::Stream stream_;
  Precision precision_;
  Buffer workspace_;
  Buffer composite_workspace_;
  Buffer tickets_;
  std::size_t scratch_bytes_ = 0;
};

}  // namespace KERNEL_TARGET
}  // namespace gnc
