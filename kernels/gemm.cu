/// General matrix product.
/// v1 one thread per element of the product
#include "kernels/gemm.h"

#include <array>

#include "kernels/grid.h"
#include "kernels/newest.h"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kThreads = 256;

/// grid (blocks of elements of c, runs).
__global__ void __launch_bounds__(kThreads) gemm_v1(GemmArgs args) {
  const std::int64_t element = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (element >= std::int64_t{args.rows} * args.columns) return;
  const std::int64_t run = blockIdx.y, row = element / args.columns, column = element % args.columns;
  const bool a_is_transposed = args.a_order == MatrixOrder::kTransposed;
  const bool b_is_transposed = args.b_order == MatrixOrder::kTransposed;
  const float* __restrict__ a = args.a.run(run) + row * (a_is_transposed ? 1 : args.a.row_stride);
  const float* __restrict__ b = args.b.run(run) + column * (b_is_transposed ? args.b.row_stride : 1);
  const std::int64_t a_step = a_is_transposed ? args.a.row_stride : 1;
  const std::int64_t b_step = b_is_transposed ? 1 : args.b.row_stride;
  float sum = 0;
  for (int k = 0; k < args.depth; ++k, a += a_step, b += b_step) sum += *a * *b;
  args.c.run(run)[row * args.c.row_stride + column] = sum;
}

void launch_v1(const GemmArgs& args, Stream stream) {
  const std::int64_t elements = std::int64_t{args.rows} * args.columns;
  if (elements == 0) return;  // an empty grid is a launch error
  launch({.grid = {grid_extent(ceil_divide(elements, kThreads)), static_cast<unsigned>(args.runs)},
          .block = {kThreads},
          .stream = stream},
         gemm_v1, args);
}

constexpr std::array<KernelVersion<GemmArgs>, 1> kVersions{{{"gemm_v1", nullptr, launch_v1}}};

}  // namespace

std::span<const KernelVersion<GemmArgs>> gemm_versions() { return kVersions; }

void gemm(const GemmArgs& args, Stream stream) { launch_newest(gemm_versions(), args, stream); }

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
