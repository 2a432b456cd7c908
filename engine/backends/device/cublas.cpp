#include "engine/backends/device/cublas.h"

#include <string>

#include "engine/backends/device/support.h"
#include "engine/error.h"

namespace gnc {
namespace {

/// What NVIDIA recommends for Hopper.
constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

void require_cublas(cublasStatus_t status, const char* what) {
  require<BackendError>(status == CUBLAS_STATUS_SUCCESS, "backend cuda: cuBLAS: {}: status {}", what,
                        static_cast<int>(status));
}

}  // namespace

Cublas::Cublas(MemoryResource& memory, cudaStream_t stream, Precision precision)
    : library_("libcublas.so." + std::to_string(CUBLAS_VER_MAJOR)),
      destroy_(library_.load<decltype(&cublasDestroy_v2)>("cublasDestroy_v2")),
      multiply_(library_.load<decltype(&cublasSgemm_v2)>("cublasSgemm_v2")),
      workspace_(memory, kWorkspaceBytes) {
  require_cublas(library_.load<decltype(&cublasCreate_v2)>("cublasCreate_v2")(&handle_), "opening");
  try {
    require_cublas(library_.load<decltype(&cublasSetStream_v2)>("cublasSetStream_v2")(handle_, stream),
                   "setting the stream");
    require_cublas(library_.load<decltype(&cublasSetWorkspace_v2)>("cublasSetWorkspace_v2")(
                       handle_, workspace_.data(), workspace_.bytes()),
                   "setting the workspace");
    const cublasMath_t math =
        precision == Precision::kTf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_PEDANTIC_MATH;
    require_cublas(library_.load<decltype(&cublasSetMathMode)>("cublasSetMathMode")(handle_, math),
                   "setting the arithmetic");
  } catch (...) {
    destroy_(handle_);
    throw;
  }
}

Cublas::~Cublas() { destroy_(handle_); }

bool Cublas::run(const Gemm& op) {
  if (op.rows() == 0 || op.columns() == 0 || op.depth() == 0) return false;
  // cuBLAS looks at alignment when it chooses a kernel.
  if (!runs_are_aligned(op.a) || !runs_are_aligned(op.b) || !runs_are_aligned(op.c)) return false;
  const auto flag = [](Transpose transpose) {
    return transpose == Transpose::kYes ? CUBLAS_OP_T : CUBLAS_OP_N;
  };
  const float one = 1, zero = 0;
  // cuBLAS counts columns first, and sees our c as its transpose: cᵀ = op(b)ᵀ·op(a)ᵀ.
  for (int run = 0; run < op.c.runs(); ++run)
    require_cublas(multiply_(handle_, flag(op.transpose_b), flag(op.transpose_a), op.columns(), op.rows(),
                             op.depth(), &one, op.b.data<float>(run), op.b.shape()[1], op.a.data<float>(run),
                             op.a.shape()[1], &zero, op.c.data<float>(run), op.c.shape()[1]),
                   "multiplying");
  return true;
}

}  // namespace gnc
