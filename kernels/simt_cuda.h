#pragma once
/// The nvcc half of kernels/simt.h: launches on the GPU.

#include <cuda_runtime.h>

#include "kernels/launch.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

namespace detail {

/// Dynamic shared memory that a kernel gets without asking for more.
inline constexpr std::size_t kPlainSharedBytes = 48 * 1024;

/// Asks for more than kPlainSharedBytes where the shape has more.
void allow_shared_bytes(const void* kernel, const LaunchShape& shape);
[[noreturn]] void fail_launch(const void* kernel, const LaunchShape& shape, cudaError_t error);

}  // namespace detail

/// Queues `kernel`; arguments are converted to the kernel's own parameter types, so a wrong one does not
/// compile. Errors of the launch itself are checked here and nowhere else (throws LaunchError); errors while
/// the kernel runs surface at the backend's next synchronisation.
template <class... Parameters, class... Arguments>
void launch(const LaunchShape& shape, void (*kernel)(Parameters...), Arguments&&... arguments) {
  const void* const address = reinterpret_cast<const void*>(kernel);
  detail::allow_shared_bytes(address, shape);
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = shape.stream;
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
  if (error != cudaSuccess) detail::fail_launch(address, shape, error);
}

/// The block's dynamic shared memory, 16-byte aligned. (An `extern __shared__` array of each kernel's own
/// type would clash between two kernels of one file.)
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char dynamic_shared_bytes[];
  return reinterpret_cast<T*>(dynamic_shared_bytes);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
