#pragma once
/// The training step as CUDA graphs: recorded once, then launched as a whole.

#include <cuda_runtime.h>

#include <functional>
#include <map>
#include <memory>

#include "engine/backend.h"

namespace gnc {

/// One graph per StepKey. The step must queue the same kernels on the same addresses whenever it is called
/// with the same key, and neither wait for the device nor allocate.
class StepGraphs {
 public:
  explicit StepGraphs(cudaStream_t stream) : stream_(stream) {}

  /// A key's first step runs as it is, so that workspaces and libraries are set up; its second is recorded
  /// and launched; later ones are launched without calling `step`.
  void run(const StepKey& key, const std::function<void()>& step);
  /// Forgets all graphs: an address that they hold will no longer be valid. Throws BackendError while a step
  /// is recorded, which would hold it as well.
  void clear();

 private:
  struct DestroyGraph {
    void operator()(cudaGraphExec_t graph) const { static_cast<void>(cudaGraphExecDestroy(graph)); }
  };
  using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, DestroyGraph>;

  Graph record(const std::function<void()>& step);

  /// A schedule that changes the learning rate every step would fill the device with graphs.
  static constexpr std::size_t kMostGraphs = 16;

  cudaStream_t stream_;
  bool is_recording_ = false;
  std::map<StepKey, Graph> graphs_;  // null: seen once
};

}  // namespace gnc
