#pragma once
/// What tests of the CUDA kernels share: a fixture that skips without a GPU and says why, and arrays on the
/// device.

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/backends/device/cuda_device.h"

namespace gnc::tests {

/// The machine's answer, asked once per process.
inline const CudaStatus& cuda_status() {
  static const CudaStatus status = query_cuda();
  return status;
}

/// Skips without a usable GPU; fails instead where the environment says GNC_REQUIRE_GPU=1 (./run gpu-check).
class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cuda_status().is_usable) return;
    const char* const required = std::getenv("GNC_REQUIRE_GPU");
    if (required != nullptr && std::string(required) == "1") FAIL() << cuda_status().reason;
    GTEST_SKIP() << cuda_status().reason;
  }
};

inline void require_cuda(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

/// An array on the device with sentinels on both sides of it.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::span<const T> values)
      : size_(values.size()), guarded_(size_ + 2 * kGuard, T{kSentinel}) {
    std::copy(values.begin(), values.end(), guarded_.begin() + kGuard);
    require_cuda(cudaMalloc(&memory_, guarded_.size() * sizeof(T)));
    require_cuda(cudaMemcpy(memory_, guarded_.data(), guarded_.size() * sizeof(T), cudaMemcpyHostToDevice));
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(std::span<const T>(values)) {}
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { cudaFree(memory_); }

  T* data() { return static_cast<T*>(memory_) + kGuard; }
  /// Waits for the device, and throws where a kernel failed or a sentinel was overwritten.
  std::vector<T> download() {
    require_cuda(cudaDeviceSynchronize());
    require_cuda(cudaMemcpy(guarded_.data(), memory_, guarded_.size() * sizeof(T), cudaMemcpyDeviceToHost));
    for (std::size_t i = 0; i < kGuard; ++i)
      if (guarded_[i] != T{kSentinel} || guarded_[kGuard + size_ + i] != T{kSentinel})
        throw std::runtime_error("a kernel wrote outside its operand");
    return {guarded_.begin() + kGuard, guarded_.end() - kGuard};
  }

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr short kSentinel = -12345;

  std::size_t size_;
  std::vector<T> guarded_;
  void* memory_ = nullptr;
};

}  // namespace gnc::tests
