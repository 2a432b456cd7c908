#pragma once
/// Errors of the CUDA runtime as BackendError.

#include <cuda_runtime.h>

#include <string_view>

#include "engine/error.h"

namespace gnc {

/// Throws BackendError saying what was tried and what the runtime said, unless `status` is success.
inline void require_cuda(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // or a later check would find this error again
  throw BackendError(fmt::format("backend cuda: {}: {}", what, cudaGetErrorString(status)));
}

}  // namespace gnc
