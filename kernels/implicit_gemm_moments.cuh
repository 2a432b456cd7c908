#pragma once
/// Moments of the columns of a tile of a product, while the block still has it in registers: what batch
/// normalisation would else read the whole product for.
///
/// Accuracy, u = 2⁻²⁴: the mean of a warp's rows is a sum of at most kRowsOfLane + 3 additions, times a
/// rounded 1/rows, so it is wrong by at most e = (kRowsOfLane + 5)·u·max|x| with x what is stored, rounded to
/// its type; deviations are taken from that mean, which adds rows·e² to their squares. Warps merge as in
/// kernels/moments.cuh.

#include <cstdint>

#include "kernels/implicit_gemm.cuh"
#include "kernels/moments.cuh"
#include "kernels/pack.cuh"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// The sum over the lanes of a warp with the same lane % 4. All of these lanes get it.
__device__ inline float sum_over_rows_of_warp(float value) {
#pragma unroll
  for (int distance = 4; distance < 32; distance *= 2) value += __shfl_xor_sync(kFullWarp, value, distance);
  return value;
}

/// Leaves the mean and the sum of squared deviations from it, of every column, over the rows of the block's
/// tile that exist, in partial[columns] and partial[columns + columns]. Called by all threads of the block
/// after the multiplication, whose shared memory it uses.
template <class Shape, class Sums, class Output>
__device__ void store_column_moments(const Sums& sums, const Output& output, TilePosition position,
                                     float* partial) {
  constexpr int kWarpsDown = Shape::kRows / Shape::kWarpRows;
  using T = typename Output::Element;
  struct OfWarp {
    float mean[Shape::kColumns];
    float squares[Shape::kColumns];
  };
  auto* const warps = reinterpret_cast<OfWarp*>(dynamic_shared<float>());
  const ThreadInTile<Shape> thread;
  // Rows of the part of a warp that begins `first` rows below the tile's upper edge.
  const auto rows_from = [&](int first) {
    return max(0, min(output.rows.size - position.first_row - first, Shape::kWarpRows));
  };
  const int rows = rows_from(thread.warp_row);
  const float weight = 1.0f / static_cast<float>(max(rows, 1));

  __syncthreads();  // all have multiplied: the stages are free
  OfWarp& own = warps[thread.warp_row / Shape::kWarpRows];
#pragma unroll
  for (int j = 0; j < Sums::kColumnsOfLane; ++j) {
    const int column = thread.warp_column + Sums::column_of(thread.lane, j);
    const bool has_bias = output.bias != nullptr && position.first_column + column < output.columns;
    const float bias = has_bias ? output.bias[position.first_column + column] : 0.0f;
    float values[Sums::kRowsOfLane], sum = 0;
#pragma unroll
    for (int i = 0; i < Sums::kRowsOfLane; ++i) {
      values[i] = to_float(from_float<T>(sums.at(i, j) + bias));
      if (Sums::row_of(thread.lane, i) < rows) sum += values[i];
    }
    // A product that no compiler may fuse with the subtractions behind it.
    const float mean = fmaf(sum_over_rows_of_warp(sum), weight, 0.0f);
    float squares = 0;
#pragma unroll
    for (int i = 0; i < Sums::kRowsOfLane; ++i)
      if (Sums::row_of(thread.lane, i) < rows) squares = fmaf(values[i] - mean, values[i] - mean, squares);
    squares = sum_over_rows_of_warp(squares);
    if (thread.lane < 4) {
      own.mean[column] = mean;
      own.squares[column] = squares;
    }
  }
  __syncthreads();
  const int columns = min(Shape::kColumns, output.columns - position.first_column);
  for (int column = static_cast<int>(threadIdx.x); column < columns; column += Shape::kThreads) {
    Moments<1> all{};
    for (int warp = 0; warp < kWarpsDown; ++warp)
      all = merged(all, Moments<1>{.count = static_cast<float>(rows_from(warp * Shape::kWarpRows)),
                                   .mean = {{warps[warp].mean[column]}},
                                   .squares = {{warps[warp].squares[column]}}});
    partial[position.first_column + column] = all.mean[0];
    partial[output.columns + position.first_column + column] = all.squares[0];
  }
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
