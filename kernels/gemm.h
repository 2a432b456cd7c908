#pragma once
/// General matrix product, for linear layers, logits and their gradients.

#include <cstdint>
#include <span>

#include "kernels/bfloat16.h"
#include "kernels/math_mode.h"
#include "kernels/stream.h"
#include "kernels/versions.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// A row-major matrix per run.
template <class T>
struct Matrix {
  T* data;
  std::int64_t run_stride;  ///< from run to run, in elements; 0: shared by the runs (read only)
  std::int64_t row_stride;  ///< from row to row, in elements

  constexpr T* run(std::int64_t index) const { return data + index * run_stride; }
};

enum class MatrixOrder : std::uint8_t { kAsIs, kTransposed };

/// Operands of T, float or Bf16. c does not overlap a or b.
template <class T>
struct GemmArgsOf {
  Matrix<const T> a;  ///< [rows,depth], or [depth,rows] where it is transposed
  Matrix<const T> b;  ///< [depth,columns], or [columns,depth] where it is transposed
  Matrix<float> c;    ///< [rows,columns], overwritten
  MatrixOrder a_order;
  MatrixOrder b_order;
  int rows, columns;
  int depth;                        ///< may be 0: c becomes zero
  int runs;                         ///< at most 65535
  MathMode math = MathMode::kFp32;  ///< of operands in fp32
};
using GemmArgs = GemmArgsOf<float>;
using GemmBf16Args = GemmArgsOf<Bf16>;

/// c = op(a)·op(b). Queues one kernel, the newest rung of the ladder that suits; throws LaunchError
/// (kernels/simt.h).
void gemm(const GemmArgs& args, Stream stream);
/// The same of operands in bfloat16: products exact, sums in fp32.
void gemm_bf16(const GemmBf16Args& args, Stream stream);

/// The ladders, oldest rung first.
std::span<const KernelVersion<GemmArgs>> gemm_versions();
std::span<const KernelVersion<GemmBf16Args>> gemm_bf16_versions();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
