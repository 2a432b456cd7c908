/// Rows on a sphere, forward and backward. Warp per row, which is read twice, the second time meant to come
/// from the L1 cache.
#include "kernels/normalize_rows.h"

#include "kernels/grid.h"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kWarps = 4;  // rows per block
constexpr int kThreads = kWarps * kWarpSize;

/// norm/‖row‖: 0 for a row that counts as zero, NaN for one that has no finite norm.
__device__ float scale_of(const NormalizeRowsArgs& args, float row_norm) {
  if (row_norm <= args.zero_norm) return 0.0f;
  return row_norm < INFINITY ? args.norm / row_norm : NAN;
}

/// Blocks are (32, kWarps), grids (blocks of rows, runs).
__device__ std::int64_t row_of_warp() { return std::int64_t{blockIdx.x} * kWarps + threadIdx.y; }

__global__ void __launch_bounds__(kThreads) normalize_rows_forward_v1(NormalizeRowsArgs args) {
  if (row_of_warp() >= args.rows) return;  // whole warps leave, so the full masks below stay true
  const std::int64_t run = blockIdx.y, start = row_of_warp() * args.dim;
  const float* const x = args.x + run * args.x_run_stride + start;
  float* const y = args.result + run * args.result_run_stride + start;
  float square = 0;
  for (int i = static_cast<int>(threadIdx.x); i < args.dim; i += kWarpSize) square = fmaf(x[i], x[i], square);
  const float scale = scale_of(args, sqrtf(warp_reduce<Sum>(square)));
  for (int i = static_cast<int>(threadIdx.x); i < args.dim; i += kWarpSize) y[i] = scale * x[i];
}

__global__ void __launch_bounds__(kThreads) normalize_rows_backward_v1(NormalizeRowsArgs args) {
  if (row_of_warp() >= args.rows) return;  // whole warps, as above
  const std::int64_t run = blockIdx.y, start = row_of_warp() * args.dim;
  const float* const x = args.x + run * args.x_run_stride + start;
  const float* const y_grad = args.y_grad + run * args.y_grad_run_stride + start;
  float* const x_grad = args.result + run * args.result_run_stride + start;
  float square = 0, radial = 0;
  for (int i = static_cast<int>(threadIdx.x); i < args.dim; i += kWarpSize) {
    square = fmaf(x[i], x[i], square);
    radial = fmaf(x[i], y_grad[i], radial);
  }
  square = warp_reduce<Sum>(square);
  radial = warp_reduce<Sum>(radial);
  const float scale = scale_of(args, sqrtf(square));
  const float along = scale == 0.0f ? 0.0f : radial / square;
  for (int i = static_cast<int>(threadIdx.x); i < args.dim; i += kWarpSize)
    x_grad[i] = scale * fmaf(-along, x[i], y_grad[i]);
}

LaunchShape warp_per_row(const NormalizeRowsArgs& args, Stream stream) {
  return {.grid = {grid_extent(ceil_divide(args.rows, kWarps)), static_cast<unsigned>(args.runs)},
          .block = {kWarpSize, kWarps},
          .stream = stream};
}

}  // namespace

void normalize_rows_forward(const NormalizeRowsArgs& args, Stream stream) {
  launch(warp_per_row(args, stream), normalize_rows_forward_v1, args);
}

void normalize_rows_backward(const NormalizeRowsArgs& args, Stream stream) {
  launch(warp_per_row(args, stream), normalize_rows_backward_v1, args);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
