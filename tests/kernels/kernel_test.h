#pragma once
/// What tests of the kernels share: a fixture and arrays on the device. The tests are compiled twice, for the
/// GPU (where they skip without one, and say why) and for the host emulator (GNC_KERNELS_ON_HOST).

#if !defined(GNC_KERNELS_ON_HOST)
#include <cuda_runtime.h>
#endif
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/versions.h"
#if defined(GNC_KERNELS_ON_HOST)
#include "tests/ops/schedule.h"
#else
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
      : size_(values.size()), initial_(size_ + 2 * kGuard, T{kSentinel}) {
    std::copy(values.begin(), values.end(), initial_.begin() + kGuard);
    memory_ = allocate(initial_.size() * sizeof(T));
    reset();
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(std::span<const T>(values)) {}
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { release(memory_); }

  T* data() { return static_cast<T*>(memory_) + kGuard; }
  /// Puts back what it was made with.
  void reset() { upload(memory_, initial_.data(), initial_.size() * sizeof(T)); }
  /// Throws where a kernel failed or a sentinel was overwritten.
  std::vector<T> download() {
    std::vector<T> guarded(initial_.size());
    tests::download(guarded.data(), memory_, guarded.size() * sizeof(T));
    const T sentinel{kSentinel};
    for (std::size_t i = 0; i < kGuard; ++i)
      if (std::memcmp(&guarded[i], &sentinel, sizeof(T)) != 0 ||
          std::memcmp(&guarded[kGuard + size_ + i], &sentinel, sizeof(T)) != 0)
        throw std::runtime_error("a kernel wrote outside its operand");
    return {guarded.begin() + kGuard, guarded.end() - kGuard};
  }

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr unsigned short kSentinel = 12345;

  std::size_t size_;
  std::vector<T> initial_;  // guards included
  void* memory_ = nullptr;
};

template <class T>
bool has_same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class First, class Second>
bool has_same_bits(const std::pair<First, Second>& a, const std::pair<First, Second>& b) {
  return has_same_bits(a.first, b.first) && has_same_bits(a.second, b.second);
}

/// Calls `run`, which launches kernels on fresh operands and returns what they left, and calls it once more:
/// on the host with the threads in another order. Expects the same bits (has_same_bits, for a type of one's
/// own found beside it); returns them.
template <class Run>
auto run_twice(const Run& run) {
  const auto first = run();
#if defined(GNC_KERNELS_ON_HOST)
  const Schedule other(other_seed());
#endif
  EXPECT_TRUE(has_same_bits(first, run())) << "the second time, a kernel gave other bits";
  return first;
}

/// Calls body(version) for the rungs that take the job, until one of them fails.
template <class Args, class Body>
void for_each_version(std::span<const kernels::KernelVersion<Args>> versions, const Args& args,
                      const Body& body) {
  for (const auto& version : versions) {
    if (version.accepts != nullptr && !version.accepts(args)) continue;
    SCOPED_TRACE(std::string(version.name));
    body(version);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace gnc::tests
