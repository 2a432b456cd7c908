#include "engine/backends/device/cuda_backend.h"

#include <cuda_runtime.h>
#include <nvtx3/nvToolsExt.h>

#include <optional>

#include "engine/backends/device/convolution_library.h"
#include "engine/backends/device/cublas.h"
#include "engine/backends/device/cuda_device.h"
#include "engine/backends/device/cuda_error.h"
#include "engine/backends/device/cuda_memory.h"
#include "engine/backends/device/cuda_stopwatch.h"
#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/step_graphs.h"

namespace gnc {
namespace {

/// What a choice between implementations is made for; runs are no part of it.
std::string description(const Conv2dGeometry& geometry, const ConstTensor& x, const ConstTensor& weights,
                        std::string_view op) {
  return fmt::format("{} of {} {} with weights {}, stride {}, padding {}", op, to_string(x.dtype()),
                     x.shape().with_runs(1).to_string(), weights.shape().with_runs(1).to_string(),
                     geometry.stride, geometry.padding);
}
std::string describe(const Conv2dForward& op) {
  return description(op.geometry, op.x, op.weights, op.kName) + (op.mean ? ", statistics" : "");
}
std::string describe(const Conv2dBackwardInput& op) {
  return description(op.geometry, op.x_grad, op.weights, op.kName) +
         (op.x_grad_mode == GradientMode::kAccumulate ? ", added" : "");
}
std::string describe(const Conv2dBackwardWeights& op) {
  return description(op.geometry, op.x, op.weights_grad, op.kName);
}

/// A copy of what an op adds to, so that it may be run on trial.
class KeptGradient {
 public:
  template <class Op>
  KeptGradient(MemoryResource&, const Op&) {}  // overwrites
  KeptGradient(MemoryResource& memory, const Conv2dBackwardInput& op) {
    if (op.x_grad_mode != GradientMode::kAccumulate || op.x_grad.shape().elements() == 0) return;
    gradient_ = op.x_grad;
    copy_ = DeviceTensor(memory, op.x_grad.spec());
    memory.copy(copy_.view().raw(), gradient_.raw(), gradient_.spec().bytes());
  }
  void put_back() const {
    if (gradient_) gradient_.memory()->copy(gradient_.raw(), copy_.view().raw(), gradient_.spec().bytes());
  }

 private:
  Tensor gradient_;
  DeviceTensor copy_;
};

/// What cuDNN leaves to do of an op: nothing, or a forward pass's statistics.
template <class Op>
void complete(DeviceBackend&, const Op&) {}
void complete(DeviceBackend& device, const Conv2dForward& op) {
  if (op.mean) execute(device, statistics_of(op));
}

class CudaBackend final : public DeviceBackend {
 public:
  CudaBackend(std::unique_ptr<CudaMemory> memory, const BackendOptions& options)
      : CudaBackend(*memory, memory->stream(), std::move(memory), options) {}
  ~CudaBackend() override { static_cast<void>(cudaStreamSynchronize(stream())); }

  std::string_view name() const override { return "cuda"; }
  void synchronize() override { require_cuda(cudaStreamSynchronize(stream()), "waiting for the device"); }
  void run_step(const StepKey& key, const std::function<void()>& step) override { graphs_.run(key, step); }
  void begin_range(RangeKind, std::string_view name) override { nvtxRangePushA(name.data()); }
  void end_range() override { nvtxRangePop(); }
  std::vector<std::string> choices() const override;
  const std::string& library_obstacle() const { return obstacle_; }

  std::size_t workspace_bytes() const override {
    return DeviceBackend::workspace_bytes() + (cublas_ ? cublas_->workspace_bytes() : 0);
  }

  bool run_in_library(const Gemm& op) override;
  bool run_in_library(const Conv2dForward& op, const std::function<void()>& own) override {
    return convolve(op, own);
  }
  bool run_in_library(const Conv2dBackwardInput& op, const std::function<void()>& own) override {
    return convolve(op, own);
  }
  bool run_in_library(const Conv2dBackwardWeights& op, const std::function<void()>& own) override {
    return convolve(op, own);
  }
  bool has_convolution_library() const override { return convolution_ != Convolution::kOwn; }

 private:
  struct Choice {
    bool is_cudnn;
    std::string reason;
  };

  CudaBackend(CudaMemory& resource, cudaStream_t stream, std::unique_ptr<CudaMemory> memory,
              const BackendOptions& options);
  void workspace_moved() override { graphs_.clear(); }
  template <class Op>
  bool convolve(const Op& op, const std::function<void()>& own);
  template <class Op>
  Choice choose(const Op& op, const std::function<void()>& own);

  Convolution convolution_;
  std::optional<Cublas> cublas_;
  std::string no_cublas_;  // why there is none
  std::unique_ptr<ConvolutionLibrary> cudnn_;
  std::map<std::string, Choice> convolution_choices_;
  std::string obstacle_ = "nothing was run";  // why the last product or convolution was not a library's
  StepGraphs graphs_;                         // last: goes before the libraries whose kernels it holds
};

CudaBackend::CudaBackend(CudaMemory& resource, cudaStream_t stream, std::unique_ptr<CudaMemory> memory,
                         const BackendOptions& options)
    : DeviceBackend(std::move(memory), stream, options.precision),
      convolution_(options.convolution),
      graphs_(stream) {
  try {
    if (options.matrix_product == MatrixProduct::kLibrary)
      cublas_.emplace(resource, stream, options.precision);
    else
      no_cublas_ = "as asked for";
  } catch (const MissingLibraryError& error) {
    no_cublas_ = error.what();  // our own kernel multiplies matrices then; choices() says so
  }
  if (convolution_ != Convolution::kOwn)
    cudnn_ = open_cudnn([this](std::size_t bytes) { return workspace(bytes); }, stream, options.precision);
}

std::vector<std::string> CudaBackend::choices() const {
  std::vector<std::string> lines;
  lines.push_back(cublas_ ? "Gemm: cuBLAS" : "Gemm: own kernel: " + no_cublas_);
  for (const auto& [what, choice] : convolution_choices_)
    lines.push_back(fmt::format("{}: {}: {}", what, choice.is_cudnn ? "cuDNN" : "own kernel", choice.reason));
  return lines;
}

bool CudaBackend::run_in_library(const Gemm& op) {
  const bool has_run = cublas_ && cublas_->run(op);
  if (has_run)
    obstacle_.clear();
  else
    obstacle_ = cublas_ ? "cuBLAS takes no empty product and no runs aligned differently" : no_cublas_;
  return has_run;
}

template <class Op>
bool CudaBackend::convolve(const Op& op, const std::function<void()>& own) {
  if (!cudnn_) {
    obstacle_ = "--conv own";
    return false;
  }
  const std::string what = describe(op);
  auto found = convolution_choices_.find(what);
  if (found == convolution_choices_.end()) {
    const KeptGradient kept(memory(), op);
    found = convolution_choices_.emplace(what, choose(op, own)).first;
    kept.put_back();
  }
  // Operands may be aligned otherwise than when the choice was made; that does not depend on runs.
  obstacle_ = found->second.is_cudnn ? cudnn_->run(op) : found->second.reason;
  if (obstacle_.empty()) complete(*this, op);
  return obstacle_.empty();
}

template <class Op>
CudaBackend::Choice CudaBackend::choose(const Op& op, const std::function<void()>& own) {
  const std::string obstacle = cudnn_->run(op);
  if (!obstacle.empty()) return {.is_cudnn = false, .reason = "cuDNN has " + obstacle};
  if (convolution_ == Convolution::kCudnn) return {.is_cudnn = true, .reason = "--conv cudnn"};
  CudaStopwatch stopwatch(stream());
  const float cudnn_ms = stopwatch.shortest([&] {
    cudnn_->run(op);
    complete(*this, op);
  });
  const float own_ms = stopwatch.shortest(own);
  return {.is_cudnn = cudnn_ms < own_ms,
          .reason = fmt::format("own {:.4f} ms, cuDNN {:.4f} ms", own_ms, cudnn_ms)};
}

}  // namespace

std::unique_ptr<Backend> open_cuda_backend(const BackendOptions& options) {
  const CudaStatus status = query_cuda();
  require<BackendError>(status.is_usable, "backend cuda: {}", status.reason);
  return std::make_unique<CudaBackend>(std::make_unique<CudaMemory>(), options);
}

std::string library_obstacle(Backend& backend) {
  const auto* const cuda = dynamic_cast<CudaBackend*>(&backend);
  require<BackendError>(cuda != nullptr, "{} has no libraries of a device; expected cuda", backend.name());
  return cuda->library_obstacle();
}

double cuda_seconds(Backend& backend, const std::function<void()>& work) {
  auto* const device = dynamic_cast<DeviceBackend*>(&backend);
  require<BackendError>(device != nullptr, "{} has no clock of a device; expected cuda", backend.name());
  return 1e-3 * static_cast<double>(CudaStopwatch(device->stream()).milliseconds(work));
}

}  // namespace gnc
