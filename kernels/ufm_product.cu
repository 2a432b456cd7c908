/// Matrix product in double. A block has a tile of 16x16 elements of c, a thread one of them; factors pass
/// through shared memory 16 columns of a at a time. Sums run from the first term to the last.
/// v1 as said: large problems in double are checks, not work
#include "kernels/ufm_product.h"

#include "kernels/grid.h"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kTile = 16;

__device__ double element(const UfmFactor& factor, int row, int column, bool is_inside) {
  return is_inside
             ? factor
                   .data[blockIdx.z * factor.run_stride + row * factor.row_step + column * factor.column_step]
             : 0.0;
}

/// grid (row tiles, column tiles, runs), block (kTile, kTile)
__global__ void __launch_bounds__(kTile* kTile) ufm_product_v1(UfmProductArgs args) {
  __shared__ double a[kTile][kTile + 1], b[kTile][kTile + 1];  // a column's elements lie in different banks
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int first_row = static_cast<int>(blockIdx.x) * kTile,
            first_column = static_cast<int>(blockIdx.y) * kTile;
  double sum = 0;
  for (int k = 0; k < args.depth; k += kTile) {
    a[y][x] = element(args.a, first_row + y, k + x, first_row + y < args.rows && k + x < args.depth);
    b[y][x] = element(args.b, k + y, first_column + x, k + y < args.depth && first_column + x < args.columns);
    __syncthreads();
    for (int i = 0; i < kTile; ++i) sum = fma(a[y][i], b[i][x], sum);
    __syncthreads();  // before the next tiles overwrite what is read here
  }
  if (first_row + y < args.rows && first_column + x < args.columns)
    args.c[blockIdx.z * args.c_run_stride + std::int64_t{first_row + y} * args.columns + first_column + x] =
        sum;
}

}  // namespace

void ufm_product(const UfmProductArgs& args, Stream stream) {
  launch({.grid = {grid_extent(ceil_divide(args.rows, kTile)),
                   static_cast<unsigned>(ceil_divide(args.columns, kTile)), static_cast<unsigned>(args.runs)},
          .block = {kTile, kTile},
          .stream = stream},
         ufm_product_v1, args);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
