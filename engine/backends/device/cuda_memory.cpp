#include "engine/backends/device/cuda_memory.h"

#include <cstdint>

#include "engine/backends/device/cuda_error.h"

namespace gnc {

CudaMemory::CudaMemory() {
  int device = 0;
  require_cuda(cudaGetDevice(&device), "asking for the current device");
  require_cuda(cudaDeviceGetDefaultMemPool(&pool_, device), "asking for the memory pool");
  // Released memory stays with the process: allocations after the first ensemble cost nothing.
  std::uint64_t keep_all = UINT64_MAX;
  require_cuda(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep_all),
               "setting up the memory pool");
  require_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
}

CudaMemory::~CudaMemory() { static_cast<void>(cudaStreamDestroy(stream_)); }

void* CudaMemory::allocate(std::size_t bytes) {
  void* pointer = nullptr;
  const std::size_t at_least_one = bytes == 0 ? 1 : bytes;
  cudaError_t status = cudaMallocAsync(&pointer, at_least_one, stream_);
  if (status == cudaErrorMemoryAllocation) {
    // What the pool keeps may be in pieces that are too small: give it all back, and ask once more.
    static_cast<void>(cudaGetLastError());
    static_cast<void>(cudaStreamSynchronize(stream_));
    static_cast<void>(cudaMemPoolTrimTo(pool_, 0));
    status = cudaMallocAsync(&pointer, at_least_one, stream_);
  }
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    throw OutOfMemoryError("cuda", bytes, free_bytes().value_or(0));
  }
  require_cuda(status, fmt::format("allocating {} bytes", bytes));
  return pointer;
}

void CudaMemory::release(void* pointer) noexcept {
  if (pointer != nullptr) static_cast<void>(cudaFreeAsync(pointer, stream_));
}

void CudaMemory::upload(void* destination, const void* host, std::size_t bytes) {
  require_cuda(cudaMemcpyAsync(destination, host, bytes, cudaMemcpyHostToDevice, stream_),
               "copying to the device");
  // Pageable memory is usually staged by now, but CUDA does not promise it.
  require_cuda(cudaStreamSynchronize(stream_), "waiting for the device");
}

void CudaMemory::download(void* host, const void* source, std::size_t bytes) {
  require_cuda(cudaMemcpyAsync(host, source, bytes, cudaMemcpyDeviceToHost, stream_),
               "copying from the device");
  require_cuda(cudaStreamSynchronize(stream_), "waiting for the device");
}

void CudaMemory::copy(void* destination, const void* source, std::size_t bytes) {
  require_cuda(cudaMemcpyAsync(destination, source, bytes, cudaMemcpyDeviceToDevice, stream_),
               "copying on the device");
}

void CudaMemory::fill_zero(void* destination, std::size_t bytes) {
  require_cuda(cudaMemsetAsync(destination, 0, bytes, stream_), "filling with zeros");
}

std::optional<std::size_t> CudaMemory::free_bytes() {
  std::size_t free = 0, total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return std::nullopt;
  }
  // What the pool keeps in reserve is free to us as well.
  std::uint64_t reserved = 0, used = 0;
  if (cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved) == cudaSuccess &&
      cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used) == cudaSuccess)
    free += static_cast<std::size_t>(reserved - used);
  return free;
}

}  // namespace gnc
