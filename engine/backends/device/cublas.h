#pragma once
/// Matrix products by cuBLAS.

#include <cublas_v2.h>

#include "engine/backends/device/dynamic_library.h"
#include "engine/memory.h"
#include "engine/ops/gemm.h"
#include "engine/precision.h"

namespace gnc {

/// cuBLAS, opened at run time. Deterministic: one stream, one workspace of fixed size, and one call per run
/// on operands of one alignment, so that a run of an ensemble gets the kernel it would get alone.
class Cublas {
 public:
  /// Throws MissingLibraryError when libcublas is not installed.
  Cublas(MemoryResource& memory, cudaStream_t stream, Precision precision);
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;
  ~Cublas();

  /// False when it does not: an extent of 0, or runs that are not aligned.
  bool run(const Gemm& op);
  std::size_t workspace_bytes() const { return workspace_.bytes(); }

 private:
  DynamicLibrary library_;
  decltype(&cublasDestroy_v2) destroy_;
  decltype(&cublasSgemm_v2) multiply_;
  cublasHandle_t handle_ = nullptr;
  Buffer workspace_;
};

}  // namespace gnc
