#include "engine/backends/device/step_graphs.h"

#include "engine/backends/device/cuda_error.h"

namespace gnc {

void StepGraphs::clear() {
  require<BackendError>(!is_recording_,
                        "a workspace grew while a step was recorded: its first run must be the same");
  graphs_.clear();
}

StepGraphs::Graph StepGraphs::record(const std::function<void()>& step) {
  cudaGraph_t recorded = nullptr;
  // Thread-local: what other threads of the program do with CUDA meanwhile (pinned loading) is their affair.
  require_cuda(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "recording a step");
  is_recording_ = true;
  try {
    step();
    is_recording_ = false;
  } catch (...) {
    is_recording_ = false;
    if (cudaStreamEndCapture(stream_, &recorded) == cudaSuccess)
      static_cast<void>(cudaGraphDestroy(recorded));
    static_cast<void>(cudaGetLastError());
    throw;
  }
  require_cuda(cudaStreamEndCapture(stream_, &recorded), "recording a step");
  cudaGraphExec_t graph = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&graph, recorded, 0);
  static_cast<void>(cudaGraphDestroy(recorded));
  require_cuda(status, "making a graph of a step");
  return Graph(graph);
}

void StepGraphs::run(const StepKey& key, const std::function<void()>& step) {
  const auto found = graphs_.find(key);
  if (found == graphs_.end()) {
    if (graphs_.size() >= kMostGraphs) graphs_.clear();
    step();
    graphs_.emplace(key, nullptr);
    return;
  }
  if (found->second == nullptr) found->second = record(step);  // clears nothing: clear() refuses meanwhile
  require_cuda(cudaGraphLaunch(found->second.get(), stream_), "launching a step");
}

}  // namespace gnc
