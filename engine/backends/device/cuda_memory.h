#pragma once
/// Memory of the GPU, and the stream in whose order everything happens.

#include <cuda_runtime.h>

#include "engine/memory.h"

namespace gnc {

/// Allocations come from the device's memory pool, which keeps what is released: a caching allocator of the
/// CUDA runtime's own. Everything is ordered with the kernels of the stream; only upload() and download()
/// wait.
class CudaMemory final : public MemoryResource {
 public:
  /// On the current device. Throws BackendError when it has no memory pools.
  CudaMemory();
  CudaMemory(const CudaMemory&) = delete;
  CudaMemory& operator=(const CudaMemory&) = delete;
  ~CudaMemory() override;

  std::string_view name() const override { return "cuda"; }
  void* allocate(std::size_t bytes) override;
  void release(void* pointer) noexcept override;
  /// Returns when the host's bytes may be overwritten.
  void upload(void* destination, const void* host, std::size_t bytes) override;
  void download(void* host, const void* source, std::size_t bytes) override;
  void copy(void* destination, const void* source, std::size_t bytes) override;
  void fill_zero(void* destination, std::size_t bytes) override;
  std::optional<std::size_t> free_bytes() override;

  cudaStream_t stream() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
};

}  // namespace gnc
