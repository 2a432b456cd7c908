#include <cudnn.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "engine/backends/device/convolution_library.h"
#include "engine/backends/device/dynamic_library.h"
#include "engine/backends/device/support.h"
#include "engine/error.h"

namespace gnc {
namespace {

void require_cudnn(cudnnStatus_t status, const char* what) {
  require<BackendError>(status == CUDNN_STATUS_SUCCESS, "backend cuda: cuDNN: {}: status {}", what,
                        static_cast<int>(status));
}

constexpr int kMostAlgorithms = 8;
/// Algorithms that want more scratch memory are left out: a few of them want gigabytes.
constexpr std::size_t kMostWorkspaceBytes = std::size_t{256} << 20;

/// The fastest deterministic algorithm of what cuDNN's heuristics put in order.
template <class Performance>
std::optional<Performance> first_deterministic(const std::array<Performance, kMostAlgorithms>& found,
                                               int count) {
  for (int i = 0; i < count; ++i) {
    const Performance& candidate = found[static_cast<std::size_t>(i)];
    if (candidate.status == CUDNN_STATUS_SUCCESS && candidate.determinism == CUDNN_DETERMINISTIC &&
        candidate.memory <= kMostWorkspaceBytes)
      return candidate;
  }
  return std::nullopt;
}

constexpr float kOne = 1, kZero = 0;

enum class Direction : std::uint8_t { kForward, kBackwardInput, kBackwardWeights };

/// The problem of one run.
struct Problem {
  Direction direction;
  Conv2dGeometry geometry;
  TensorSpec x;
  TensorSpec y;
  TensorSpec weights;
};

/// The functions of the library that are used here.
struct CudnnFunctions {
  const DynamicLibrary& library;
  decltype(&cudnnCreate) create = library.load<decltype(&cudnnCreate)>("cudnnCreate");
  decltype(&cudnnDestroy) destroy = library.load<decltype(&cudnnDestroy)>("cudnnDestroy");
  decltype(&cudnnSetStream) set_stream = library.load<decltype(&cudnnSetStream)>("cudnnSetStream");
  decltype(&cudnnCreateTensorDescriptor) create_tensor =
      library.load<decltype(&cudnnCreateTensorDescriptor)>("cudnnCreateTensorDescriptor");
  decltype(&cudnnDestroyTensorDescriptor) destroy_tensor =
      library.load<decltype(&cudnnDestroyTensorDescriptor)>("cudnnDestroyTensorDescriptor");
  decltype(&cudnnSetTensor4dDescriptor) set_tensor =
      library.load<decltype(&cudnnSetTensor4dDescriptor)>("cudnnSetTensor4dDescriptor");
  decltype(&cudnnCreateFilterDescriptor) create_filter =
      library.load<decltype(&cudnnCreateFilterDescriptor)>("cudnnCreateFilterDescriptor");
  decltype(&cudnnDestroyFilterDescriptor) destroy_filter =
      library.load<decltype(&cudnnDestroyFilterDescriptor)>("cudnnDestroyFilterDescriptor");
  decltype(&cudnnSetFilter4dDescriptor) set_filter =
      library.load<decltype(&cudnnSetFilter4dDescriptor)>("cudnnSetFilter4dDescriptor");
  decltype(&cudnnCreateConvolutionDescriptor) create_convolution =
      library.load<decltype(&cudnnCreateConvolutionDescriptor)>("cudnnCreateConvolutionDescriptor");
  decltype(&cudnnDestroyConvolutionDescriptor) destroy_convolution =
      library.load<decltype(&cudnnDestroyConvolutionDescriptor)>("cudnnDestroyConvolutionDescriptor");
  decltype(&cudnnSetConvolution2dDescriptor) set_convolution =
      library.load<decltype(&cudnnSetConvolution2dDescriptor)>("cudnnSetConvolution2dDescriptor");
  decltype(&cudnnSetConvolutionMathType) set_math =
      library.load<decltype(&cudnnSetConvolutionMathType)>("cudnnSetConvolutionMathType");
  decltype(&cudnnGetConvolutionForwardAlgorithm_v7) find_forward =
      library.load<decltype(&cudnnGetConvolutionForwardAlgorithm_v7)>(
          "cudnnGetConvolutionForwardAlgorithm_v7");
  decltype(&cudnnGetConvolutionBackwardDataAlgorithm_v7) find_backward_input =
      library.load<decltype(&cudnnGetConvolutionBackwardDataAlgorithm_v7)>(
          "cudnnGetConvolutionBackwardDataAlgorithm_v7");
  decltype(&cudnnGetConvolutionBackwardFilterAlgorithm_v7) find_backward_weights =
      library.load<decltype(&cudnnGetConvolutionBackwardFilterAlgorithm_v7)>(
          "cudnnGetConvolutionBackwardFilterAlgorithm_v7");
  decltype(&cudnnConvolutionForward) forward =
      library.load<decltype(&cudnnConvolutionForward)>("cudnnConvolutionForward");
  decltype(&cudnnConvolutionBackwardData) backward_input =
      library.load<decltype(&cudnnConvolutionBackwardData)>("cudnnConvolutionBackwardData");
  decltype(&cudnnConvolutionBackwardFilter) backward_weights =
      library.load<decltype(&cudnnConvolutionBackwardFilter)>("cudnnConvolutionBackwardFilter");
};

/// Descriptors and algorithm of one problem.
class Plan {
 public:
  Plan(const CudnnFunctions& cudnn, cudnnHandle_t handle, cudnnMathType_t math, const Problem& problem)
      : cudnn_(cudnn) {
    require_cudnn(cudnn.create_tensor(&x_), "a descriptor");
    require_cudnn(cudnn.create_tensor(&y_), "a descriptor");
    require_cudnn(cudnn.create_filter(&weights_), "a descriptor");
    require_cudnn(cudnn.create_convolution(&convolution_), "a descriptor");
    const auto type = problem.x.dtype == DType::kBf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    const auto set_images = [&](cudnnTensorDescriptor_t descriptor, const Shape& shape) {
      require_cudnn(
          cudnn.set_tensor(descriptor, CUDNN_TENSOR_NHWC, type, shape[0], shape[1], shape[2], shape[3]),
          "describing images");
    };
    set_images(x_, problem.x.shape);
    set_images(y_, problem.y.shape);
    const Shape& kernel = problem.weights.shape;
    require_cudnn(
        cudnn.set_filter(weights_, type, CUDNN_TENSOR_NHWC, kernel[0], kernel[1], kernel[2], kernel[3]),
        "describing weights");
    const auto& [size, stride, padding] = problem.geometry;
    require_cudnn(cudnn.set_convolution(convolution_, padding, padding, stride, stride, 1, 1,
                                        CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                  "describing a convolution");
    require_cudnn(cudnn.set_math(convolution_, math), "setting the arithmetic");
    choose(handle, problem.direction, math);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    static_cast<void>(cudnn_.destroy_tensor(x_));
    static_cast<void>(cudnn_.destroy_tensor(y_));
    static_cast<void>(cudnn_.destroy_filter(weights_));
    static_cast<void>(cudnn_.destroy_convolution(convolution_));
  }

  bool has_algorithm() const { return has_algorithm_; }
  std::size_t workspace_bytes() const { return workspace_bytes_; }

  cudnnStatus_t forward(cudnnHandle_t handle, const void* x, const void* weights, void* workspace,
                        void* y) const {
    return cudnn_.forward(handle, &kOne, x_, x, weights_, weights, convolution_, forward_, workspace,
                          workspace_bytes_, &kZero, y_, y);
  }
  cudnnStatus_t backward_input(cudnnHandle_t handle, const void* weights, const void* y_grad, void* workspace,
                               GradientMode mode, void* x_grad) const {
    const float* const kept = mode == GradientMode::kAccumulate ? &kOne : &kZero;
    return cudnn_.backward_input(handle, &kOne, weights_, weights, y_, y_grad, convolution_, backward_input_,
                                 workspace, workspace_bytes_, kept, x_, x_grad);
  }
  cudnnStatus_t backward_weights(cudnnHandle_t handle, const void* x, const void* y_grad, void* workspace,
                                 void* weights_grad) const {
    return cudnn_.backward_weights(handle, &kOne, x_, x, y_, y_grad, convolution_, backward_weights_,
                                   workspace, workspace_bytes_, &kZero, weights_, weights_grad);
  }

 private:
  void choose(cudnnHandle_t handle, Direction direction, cudnnMathType_t math) {
    int count = 0;
    const auto keep = [&](const auto& best, auto& algorithm) {
      has_algorithm_ = best.has_value();
      if (!best) return;
      algorithm = best->algo;
      workspace_bytes_ = best->memory;
      // Strict fp32 stays what it is; otherwise the algorithm says whether it uses tensor cores.
      if (math != CUDNN_FMA_MATH)
        require_cudnn(cudnn_.set_math(convolution_, best->mathType), "setting the arithmetic");
    };
    if (direction == Direction::kForward) {
      std::array<cudnnConvolutionFwdAlgoPerf_t, kMostAlgorithms> found{};
      require_cudnn(
          cudnn_.find_forward(handle, x_, weights_, convolution_, y_, kMostAlgorithms, &count, found.data()),
          "choosing an algorithm");
      keep(first_deterministic(found, count), forward_);
    } else if (direction == Direction::kBackwardInput) {
      std::array<cudnnConvolutionBwdDataAlgoPerf_t, kMostAlgorithms> found{};
      require_cudnn(cudnn_.find_backward_input(handle, weights_, y_, convolution_, x_, kMostAlgorithms,
                                               &count, found.data()),
                    "choosing an algorithm");
      keep(first_deterministic(found, count), backward_input_);
    } else {
      std::array<cudnnConvolutionBwdFilterAlgoPerf_t, kMostAlgorithms> found{};
      require_cudnn(cudnn_.find_backward_weights(handle, x_, y_, convolution_, weights_, kMostAlgorithms,
                                                 &count, found.data()),
                    "choosing an algorithm");
      keep(first_deterministic(found, count), backward_weights_);
    }
  }

  const CudnnFunctions& cudnn_;
  cudnnTensorDescriptor_t x_ = nullptr;
  cudnnTensorDescriptor_t y_ = nullptr;
  cudnnFilterDescriptor_t weights_ = nullptr;
  cudnnConvolutionDescriptor_t convolution_ = nullptr;
  cudnnConvolutionFwdAlgo_t forward_{};
  cudnnConvolutionBwdDataAlgo_t backward_input_{};
  cudnnConvolutionBwdFilterAlgo_t backward_weights_{};
  bool has_algorithm_ = false;
  std::size_t workspace_bytes_ = 0;
};

TensorSpec of_one_run(const ConstTensor& tensor) {
  TensorSpec spec = tensor.spec();
  spec.shape = spec.shape.with_runs(1);
  return spec;
}

/// What keeps an op from cuDNN whatever its algorithms; empty when nothing does.
std::string obstacle(const ConstTensor& x, const ConstTensor& weights, const ConstTensor& y,
                     const ConstTensor& bias) {
  if (bias) return "a bias";
  if (x.layout() != Layout::kNHWC || y.layout() != Layout::kNHWC || weights.layout() != Layout::kNHWC)
    return "a layout other than NHWC";
  if (x.is_slice() || y.is_slice()) return "a slice of channels";
  if (weights.dtype() != x.dtype()) return "weights in another dtype than the images";
  if (x.shape()[0] == 0) return "an empty batch";
  if (!runs_are_aligned(x) || !runs_are_aligned(weights) || !runs_are_aligned(y))
    return "runs that are not aligned to 16 bytes";
  return {};
}

/// cuDNN, restricted to its deterministic algorithms.
class CudnnConvolution final : public ConvolutionLibrary {
 public:
  CudnnConvolution(Workspace workspace, cudaStream_t stream, Precision precision);
  CudnnConvolution(const CudnnConvolution&) = delete;
  CudnnConvolution& operator=(const CudnnConvolution&) = delete;
  ~CudnnConvolution() override;

  std::string run(const Conv2dForward& op) override;
  std::string run(const Conv2dBackwardInput& op) override;
  std::string run(const Conv2dBackwardWeights& op) override;

 private:
  const Plan& plan_for(const Problem& problem);

  Workspace workspace_;
  DynamicLibrary library_;
  CudnnFunctions cudnn_;
  cudnnMathType_t math_;
  cudnnHandle_t handle_ = nullptr;
  std::map<std::string, Plan> plans_;
};

CudnnConvolution::CudnnConvolution(Workspace workspace, cudaStream_t stream, Precision precision)
    : workspace_(std::move(workspace)),
      library_("libcudnn.so." + std::to_string(CUDNN_MAJOR)),
      cudnn_{library_},
      // The default arithmetic lets cuDNN round fp32 to TF32.
      math_(precision == Precision::kFp32 ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH) {
  require_cudnn(cudnn_.create(&handle_), "opening");
  const cudnnStatus_t status = cudnn_.set_stream(handle_, stream);
  if (status != CUDNN_STATUS_SUCCESS) static_cast<void>(cudnn_.destroy(handle_));
  require_cudnn(status, "setting the stream");
}

CudnnConvolution::~CudnnConvolution() {
  plans_.clear();
  static_cast<void>(cudnn_.destroy(handle_));
}

const Plan& CudnnConvolution::plan_for(const Problem& problem) {
  const std::string key =
      fmt::format("{} {} {} {} {} {}", static_cast<int>(problem.direction), problem.x.to_string(),
                  problem.weights.to_string(), problem.geometry.kernel, problem.geometry.stride,
                  problem.geometry.padding);
  const auto found = plans_.find(key);
  if (found != plans_.end()) return found->second;
  return plans_
      .emplace(std::piecewise_construct, std::forward_as_tuple(key),
               std::forward_as_tuple(cudnn_, handle_, math_, problem))
      .first->second;
}

/// Runs `one_run(run, scratch)` for every run. The heuristics may promise an algorithm that the convolution
/// then does not support: that is an obstacle, too.
template <class OneRun>
std::string for_runs(int runs, const Plan& plan, const Workspace& workspace, const OneRun& one_run) {
  if (!plan.has_algorithm()) return "no deterministic algorithm in 256 MiB of scratch memory";
  for (int run = 0; run < runs; ++run) {
    const cudnnStatus_t status = one_run(run, workspace(plan.workspace_bytes()));
    if (status == CUDNN_STATUS_NOT_SUPPORTED) return "an algorithm that it does not support after all";
    require_cudnn(status, "convolving");
  }
  return {};
}

std::string CudnnConvolution::run(const Conv2dForward& op) {
  if (std::string reason = obstacle(op.x, op.weights, op.y, op.bias); !reason.empty()) return reason;
  const Plan& plan = plan_for(
      {Direction::kForward, op.geometry, of_one_run(op.x), of_one_run(op.y), of_one_run(op.weights)});
  return for_runs(op.y.runs(), plan, workspace_, [&](int run, void* scratch) {
    return plan.forward(handle_, op.x.run(run).raw(), op.weights.run(run).raw(), scratch,
                        op.y.run(run).raw());
  });
}

std::string CudnnConvolution::run(const Conv2dBackwardInput& op) {
  if (std::string reason = obstacle(op.x_grad, op.weights, op.y_grad, {}); !reason.empty()) return reason;
  const Plan& plan = plan_for({Direction::kBackwardInput, op.geometry, of_one_run(op.x_grad),
                               of_one_run(op.y_grad), of_one_run(op.weights)});
  return for_runs(op.x_grad.runs(), plan, workspace_, [&](int run, void* scratch) {
    return plan.backward_input(handle_, op.weights.run(run).raw(), op.y_grad.run(run).raw(), scratch,
                               op.x_grad_mode, op.x_grad.run(run).raw());
  });
}

std::string CudnnConvolution::run(const Conv2dBackwardWeights& op) {
  if (std::string reason = obstacle(op.x, op.weights_grad, op.y_grad, {}); !reason.empty()) return reason;
  const Plan& plan = plan_for({Direction::kBackwardWeights, op.geometry, of_one_run(op.x),
                               of_one_run(op.y_grad), of_one_run(op.weights_grad)});
  return for_runs(op.weights_grad.runs(), plan, workspace_, [&](int run, void* scratch) {
    return plan.backward_weights(handle_, op.x.run(run).raw(), op.y_grad.run(run).raw(), scratch,
                                 op.weights_grad.run(run).raw());
  });
}

}  // namespace

std::unique_ptr<ConvolutionLibrary> open_cudnn(Workspace workspace, CUstream_st* stream,
                                               Precision precision) {
  return std::make_unique<CudnnConvolution>(std::move(workspace), stream, precision);
}

}  // namespace gnc
