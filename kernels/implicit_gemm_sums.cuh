#pragma once
/// The sums that a block keeps in registers while it multiplies tiles, on the FP32 units and on tensor cores.

#include <cstdint>

#include "kernels/implicit_gemm_operand.cuh"
#include "kernels/pack.cuh"
#include "kernels/simt.h"
#include "kernels/simt_tensor_core.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// The part of a product that a block computes, and that each of its warps does.
template <int rows, int columns, int warp_rows, int warp_columns>
struct TileShape {
  static constexpr int kRows = rows;
  static constexpr int kColumns = columns;
  static constexpr int kWarpRows = warp_rows;
  static constexpr int kWarpColumns = warp_columns;
  static constexpr int kWarpsAcross = columns / warp_columns;
  static constexpr int kThreads = 32 * (rows / warp_rows) * kWarpsAcross;
  static_assert(rows % warp_rows == 0 && columns % warp_columns == 0);
};

/// Place of the calling thread in a tile.
template <class Shape>
struct ThreadInTile {
  int lane = static_cast<int>(threadIdx.x) % 32;
  int warp_row = static_cast<int>(threadIdx.x) / 32 / Shape::kWarpsAcross * Shape::kWarpRows;
  int warp_column = static_cast<int>(threadIdx.x) / 32 % Shape::kWarpsAcross * Shape::kWarpColumns;
};

/// Strict fp32: the 8×4 lanes of a warp have the same number of rows and of columns each. A sum adds its
/// products one by one in the order of the depth, each by a fused multiply-add that no compiler may split.
template <class Shape, Order a_order, Order b_order>
class FfmaSums {
  static constexpr int kLaneRows = 8, kLaneColumns = 4;
  static constexpr int kRows = Shape::kWarpRows / kLaneRows;
  static constexpr int kColumns = Shape::kWarpColumns / kLaneColumns;
  static constexpr int kNeighbours = b_order == Order::kRowsFastest ? 4 : 1;  // columns side by side
  /// Depths loaded at once. With 4, the loads of an 8×8 share would need more than 128 registers a thread.
  static constexpr int kStep = 2;
  using TileA = SharedTile<float, Shape::kRows, a_order>;
  using TileB = SharedTile<float, Shape::kColumns, b_order>;

 public:
  // What a lane has of its warp's part of the product. Lanes with the same lane % 4 have the same columns.
  static constexpr int kRowsOfLane = kRows, kColumnsOfLane = kColumns;
  static __device__ int row_of(int lane, int i) {
    return index_of<a_order, kLaneRows>(lane / kLaneColumns, i);
  }
  static __device__ int column_of(int lane, int j) {
    return index_of<b_order, kLaneColumns>(lane % kLaneColumns, j);
  }
  __device__ float at(int i, int j) const { return sums_[i][j]; }

  __device__ void multiply(const float* a, const float* b) {
    const ThreadInTile<Shape> thread;
#pragma unroll 1
    for (int depth = 0; depth < kTileDepth<float>; depth += kStep) {
      float a_values[kRows][kStep], b_values[kColumns][kStep];
      load<TileA, a_order, kLaneRows>(a_values, a, thread.warp_row, thread.lane / kLaneColumns, depth);
      load<TileB, b_order, kLaneColumns>(b_values, b, thread.warp_column, thread.lane % kLaneColumns, depth);
#pragma unroll
      for (int k = 0; k < kStep; ++k)
#pragma unroll
        for (int row = 0; row < kRows; ++row)
#pragma unroll
          for (int column = 0; column < kColumns; ++column)
            sums_[row][column] = fmaf(a_values[row][k], b_values[column][k], sums_[row][column]);
    }
  }

  template <class Output>
  __device__ void store(const Output& output, int first_row, int first_column) const {
    const ThreadInTile<Shape> thread;
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const int row =
          first_row + thread.warp_row + index_of<a_order, kLaneRows>(thread.lane / kLaneColumns, i);
      Floats<kNeighbours> values[kColumns / kNeighbours];
#pragma unroll
      for (int j = 0; j < kColumns; ++j) values[j / kNeighbours][j % kNeighbours] = sums_[i][j];
      output.row(row).template store<kNeighbours * kLaneColumns>(
          values,
          first_column + thread.warp_column + index_of<b_order, kLaneColumns>(thread.lane % kLaneColumns, 0));
    }
  }

 private:
  /// The i-th row (or column) of a lane within its warp's. Where rows are neighbours in memory a lane has
  /// groups of four; else the lanes take turns, which keeps their loads in different banks.
  template <Order order, int kLanes>
  static __device__ int index_of(int lane, int i) {
    return order == Order::kRowsFastest ? (i / 4 * kLanes + lane) * 4 + i % 4 : i * kLanes + lane;
  }

  /// values[i][k] = tile(i-th row of the lane, depth + k).
  template <class Tile, Order order, int kLanes, int kCount>
  static __device__ void load(float (&values)[kCount][kStep], const float* tile, int first, int lane,
                              int depth) {
    constexpr int kPackRows = order == Order::kRowsFastest ? 4 : 1;
    static_assert(kCount % kPackRows == 0);
#pragma unroll
    for (int i = 0; i < kCount; i += kPackRows) {
      const int row = first + index_of<order, kLanes>(lane, i);
      if constexpr (order == Order::kDepthFastest) {
        const auto pack = load_pack<kStep>(tile + Tile::offset(row, depth));
#pragma unroll
        for (int k = 0; k < kStep; ++k) values[i][k] = pack[k];
      } else {
#pragma unroll
        for (int k = 0; k < kStep; ++k) {
          const auto pack = load_pack<kPackRows>(tile + Tile::offset(row, depth + k));
#pragma unroll
          for (int j = 0; j < kPackRows; ++j) values[i + j][k] = pack[j];
        }
      }
    }
  }

  float sums_[kRows][kColumns] = {};
};

/// Tensor cores, fp32 sums: operands stored as bfloat16 by m16n8k16, those stored as fp32 rounded to TF32 by
/// m16n8k8. Both take 32 bytes of depth at a time, so that their fragments lie alike in shared memory: for
/// ldmatrix four fp32 numbers are a row of eight 16-bit ones, and words arrive where TF32 wants them.
template <class T, class Shape, Order a_order, Order b_order>
class TensorCoreSums {
  static constexpr int kStep = 32 / int{sizeof(T)};    // depth of an instruction
  static constexpr int kChunk = 16 / int{sizeof(T)};   // half of it: the row of an 8×8 matrix of ldmatrix
  static constexpr int kRows = Shape::kWarpRows / 16;  // instructions
  static constexpr int kColumns = Shape::kWarpColumns / 8;
  static_assert(kColumns % 2 == 0, "fragments of b are loaded in pairs");
  static constexpr bool kIsBf16 = sizeof(T) == 2;
  using TileA = SharedTile<T, Shape::kRows, a_order>;
  using TileB = SharedTile<T, Shape::kColumns, b_order>;

 public:
  // As of FfmaSums: a fragment of d has two rows, 8 apart, and two neighbouring columns a lane.
  static constexpr int kRowsOfLane = 2 * kRows, kColumnsOfLane = 2 * kColumns;
  static __device__ int row_of(int lane, int i) { return 8 * i + lane / 4; }
  static __device__ int column_of(int lane, int j) { return j / 2 * 8 + 2 * (lane % 4) + j % 2; }
  __device__ float at(int i, int j) const { return sums_[i / 2][j / 2][2 * (i % 2) + j % 2]; }

  __device__ void multiply(const T* a, const T* b) {
    const ThreadInTile<Shape> thread;
#pragma unroll 1
    for (int depth = 0; depth < kTileDepth<T>; depth += kStep) {
      std::uint32_t b_fragments[kColumns / 2][2][2];
#pragma unroll
      for (int j = 0; j < kColumns / 2; ++j)
        load_b(b_fragments[j], b, thread.warp_column + 16 * j, depth, thread.lane);
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        std::uint32_t a_fragment[4];
        load_a(a_fragment, a, thread.warp_row + 16 * i, depth, thread.lane);
#pragma unroll
        for (int j = 0; j < kColumns; ++j) multiply_add(sums_[i][j], a_fragment, b_fragments[j / 2][j % 2]);
      }
    }
  }

  template <class Output>
  __device__ void store(const Output& output, int first_row, int first_column) const {
    const ThreadInTile<Shape> thread;
    const int column = first_column + thread.warp_column + 2 * (thread.lane % 4);
#pragma unroll
    for (int i = 0; i < kRows; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        Floats<2> values[kColumns];
#pragma unroll
        for (int j = 0; j < kColumns; ++j) values[j] = {{sums_[i][j][2 * half], sums_[i][j][2 * half + 1]}};
        output.row(first_row + thread.warp_row + 16 * i + 8 * half + thread.lane / 4)
            .template store<8>(values, column);
      }
  }

 private:
  static __device__ void multiply_add(float (&d)[4], const std::uint32_t (&a)[4],
                                      const std::uint32_t (&b)[2]) {
    if constexpr (kIsBf16)
      mma_m16n8k16_bf16(d, a, b);
    else
      mma_m16n8k8_tf32(d, a, b);
  }

  /// Registers as they came from memory, in the form the instruction takes.
  template <int kCount>
  static __device__ void round_operands(std::uint32_t (&fragment)[kCount]) {
    if constexpr (!kIsBf16)
#pragma unroll
      for (int i = 0; i < kCount; ++i) fragment[i] = to_tf32(__uint_as_float(fragment[i]));
  }

  /// Rows [row, row + 16): four 8×8 matrices, (upper, lower rows) of the lower half of the depth, then of the
  /// upper half.
  static __device__ void load_a(std::uint32_t (&fragment)[4], const T* tile, int row, int depth, int lane) {
    if constexpr (a_order == Order::kDepthFastest) {
      ldmatrix_x4(fragment, tile + TileA::offset(row + lane % 16, depth + lane / 16 * kChunk));
    } else if constexpr (kIsBf16) {
      ldmatrix_x4_trans(fragment,
                        tile + TileA::offset(row + lane / 8 % 2 * 8, depth + lane % 8 + lane / 16 * 8));
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        fragment[i] =
            __float_as_uint(tile[TileA::offset(row + lane / 4 + i % 2 * 8, depth + lane % 4 + i / 2 * 4)]);
    }
    round_operands(fragment);
  }

  /// Columns [column, column + 16): two fragments of 8 columns, of each the lower and the upper half of the
  /// depth.
  static __device__ void load_b(std::uint32_t (&fragments)[2][2], const T* tile, int column, int depth,
                                int lane) {
    std::uint32_t words[4];
    if constexpr (b_order == Order::kDepthFastest) {
      ldmatrix_x4(words,
                  tile + TileB::offset(column + lane / 16 * 8 + lane % 8, depth + lane / 8 % 2 * kChunk));
    } else if constexpr (kIsBf16) {
      ldmatrix_x4_trans(words, tile + TileB::offset(column + lane / 16 * 8, depth + lane % 16));
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        words[i] =
            __float_as_uint(tile[TileB::offset(column + lane / 4 + i / 2 * 8, depth + lane % 4 + i % 2 * 4)]);
    }
    round_operands(words);
#pragma unroll
    for (int i = 0; i < 4; ++i) fragments[i / 2][i % 2] = words[i];
  }

  float sums_[kRows][kColumns][4] = {};
};

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
