#pragma once
/// Matrix products by cuBLAS.

#include <cublas_v2.h>

#include "engine/backends/device/dynamic_library.h"
#include "engine/memory.h"
#include "engine/ops/gemm.h"
#include "engine/precision.h"

namespace gnc {

/// cuBLAS, opened at run time. Deterministic: one stream, one workspace of fixed size, and one call per run,
/// so that a run of an ensemble gets the kernel and the bits it would get alone.
class Cublas {
 public:
  /// Throws BackendError when libcublas is not installed.
  Cublas(MemoryResource& memory, cudaStream_t stream, Precision precision);
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;
  ~Cublas();

  /// False when it cannot: an extent of 0.
  bool run(const Gemm& op);

 private:
  DynamicLibrary library_;
  decltype(&cublasDestroy_v2) destroy_;
  decltype(&cublasSgemm_v2) multiply_;
  cublasHandle_t handle_ = nullptr;
  Buffer workspace_;
};

}  // namespace gnc
