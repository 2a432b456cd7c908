#pragma once
/// Time by the device's own clock.

#include <cuda_runtime.h>

#include <array>

#include "engine/backends/device/cuda_error.h"

namespace gnc {

/// Times work on a stream with a pair of events.
class CudaStopwatch {
 public:
  explicit CudaStopwatch(cudaStream_t stream) : stream_(stream) {
    for (cudaEvent_t& event : events_) require_cuda(cudaEventCreate(&event), "making an event");
  }
  CudaStopwatch(const CudaStopwatch&) = delete;
  CudaStopwatch& operator=(const CudaStopwatch&) = delete;
  ~CudaStopwatch() {
    for (const cudaEvent_t event : events_) static_cast<void>(cudaEventDestroy(event));
  }

  /// Of what work() queues; waits for it.
  template <class Work>
  float milliseconds(const Work& work) {
    require_cuda(cudaEventRecord(events_[0], stream_), "timing");
    work();
    require_cuda(cudaEventRecord(events_[1], stream_), "timing");
    require_cuda(cudaEventSynchronize(events_[1]), "timing");
    float milliseconds = 0;
    require_cuda(cudaEventElapsedTime(&milliseconds, events_[0], events_[1]), "timing");
    return milliseconds;
  }

  /// Shortest of a few times, after one call to warm up.
  template <class Work>
  float shortest(const Work& work) {
    constexpr int kRepeats = 5;
    work();
    float best = 0;
    for (int i = 0; i < kRepeats; ++i) {
      const float time = milliseconds(work);
      if (i == 0 || time < best) best = time;
    }
    return best;
  }

 private:
  cudaStream_t stream_;
  std::array<cudaEvent_t, 2> events_{};
};

}  // namespace gnc
