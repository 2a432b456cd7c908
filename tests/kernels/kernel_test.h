#pragma once
/// What tests of the kernels share: a fixture and arrays on the device. The tests are compiled twice, for the
/// GPU (where they skip without one, and say why) and for the host emulator (GNC_KERNELS_ON_HOST).

#if !defined(GNC_KERNELS_ON_HOST)
#include <cuda_runtime.h>
#endif
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#if !defined(GNC_KERNELS_ON_HOST)
#include "engine/backends/device/cuda_device.h"
#endif

namespace gnc::tests {

#if defined(GNC_KERNELS_ON_HOST)

class KernelTest : public ::testing::Test {};

// Memory of the device is memory of the host.
inline void* allocate(std::size_t bytes) { return ::operator new(bytes); }
inline void release(void* memory) { ::operator delete(memory); }
inline void upload(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
inline void download(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }

#else

/// The machine's answer, asked once per process.
inline const CudaStatus& cuda_status() {
  static const CudaStatus status = query_cuda();
  return status;
}

/// Skips without a usable GPU; fails instead where the environment says GNC_REQUIRE_GPU=1 (./run gpu-check).
class KernelTest : public ::testing::Test {
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

inline void* allocate(std::size_t bytes) {
  void* memory = nullptr;
  require_cuda(cudaMalloc(&memory, bytes));
  return memory;
}
inline void release(void* memory) { cudaFree(memory); }
inline void upload(void* to, const void* from, std::size_t bytes) {
  require_cuda(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice));
}
/// Waits for the device.
inline void download(void* to, const void* from, std::size_t bytes) {
  require_cuda(cudaDeviceSynchronize());
  require_cuda(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost));
}

#endif

/// An array on the device with sentinels on both sides of it.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::span<const T> values)
      : size_(values.size()), guarded_(size_ + 2 * kGuard, T{kSentinel}) {
    std::copy(values.begin(), values.end(), guarded_.begin() + kGuard);
    memory_ = allocate(guarded_.size() * sizeof(T));
    upload(memory_, guarded_.data(), guarded_.size() * sizeof(T));
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(std::span<const T>(values)) {}
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { release(memory_); }

  T* data() { return static_cast<T*>(memory_) + kGuard; }
  /// Throws where a kernel failed or a sentinel was overwritten.
  std::vector<T> download() {
    tests::download(guarded_.data(), memory_, guarded_.size() * sizeof(T));
    const T sentinel{kSentinel};
    for (std::size_t i = 0; i < kGuard; ++i)
      if (std::memcmp(&guarded_[i], &sentinel, sizeof(T)) != 0 ||
          std::memcmp(&guarded_[kGuard + size_ + i], &sentinel, sizeof(T)) != 0)
        throw std::runtime_error("a kernel wrote outside its operand");
    return {guarded_.begin() + kGuard, guarded_.end() - kGuard};
  }

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr unsigned short kSentinel = 12345;

  std::size_t size_;
  std::vector<T> guarded_;
  void* memory_ = nullptr;
};

}  // namespace gnc::tests
