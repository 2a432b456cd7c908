#pragma once
/// The tile loop that convolutions and matrix products share: [rows, columns] = Σ_depth a(row,
/// depth)·b(column, depth), of operands that may lie in memory in any way
/// (kernels/implicit_gemm_operand.cuh).
///
/// A block computes one tile of the product. Its threads copy tiles of both operands along the depth into a
/// ring of kStages stages of shared memory, asynchronously and kStages − 1 tiles ahead of the multiplication.
/// Bytes read per multiply-add fall with the size of the tile; the number of blocks does too.
///
/// An element of the product has one order of summation, in steps of kTileDepth from the first depth: neither
/// the shape of the tile nor the width of the copies changes its bits.

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "kernels/grid.h"
#include "kernels/implicit_gemm_operand.cuh"
#include "kernels/implicit_gemm_sums.cuh"
#include "kernels/pack.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

enum class Unit : std::uint8_t { kFfma, kTensorCore };

// Shapes and stages are choices from arithmetic, not from measurements: no GPU has timed them yet. A large
// tile reads 1/64 element per multiply-add and its warps 3/64 words of shared memory; two such blocks fit on
// an SM (128 registers a thread; 80 KiB of shared memory, of 227 on sm_90 and 163 on sm_80; one on sm_89).
using LargeTile = TileShape<128, 128, 64, 32>;
using TallTile = TileShape<128, 64, 64, 32>;
using WideTile = TileShape<64, 128, 32, 64>;
using SmallTile = TileShape<64, 64, 32, 32>;

/// One instantiation of the loop. So many elements of the operands are copied at once.
template <class Element, Unit unit, class TileShape, int vector_a, int vector_b>
struct TileConfig {
  using T = Element;
  using Shape = TileShape;
  static constexpr int kVectorA = vector_a;
  static constexpr int kVectorB = vector_b;
  static constexpr int kThreads = Shape::kThreads;
  static constexpr int kStages = unit == Unit::kFfma ? 3 : 4;
  static_assert(kThreads >= Shape::kColumns);  // finish_columns takes a thread a column
  static constexpr int kBlocksPerSm = std::is_same_v<Shape, LargeTile> ? 2 : 1;  // at least
  template <Order a_order, Order b_order>
  using Sums = std::conditional_t<unit == Unit::kFfma, FfmaSums<Shape, a_order, b_order>,
                                  TensorCoreSums<T, Shape, a_order, b_order>>;
  template <Order a_order, Order b_order>
  static constexpr std::size_t kSharedBytes =
      sizeof(T) * kStages*(SharedTile<T, Shape::kRows, a_order>::kElements +
                           SharedTile<T, Shape::kColumns, b_order>::kElements);
};

/// The elements of the product that lie in one row.
template <class T>
struct OutputRow {
  T* data;  ///< null: beyond the last row
  const float* bias;
  int columns;
  bool has_packs;
  bool accumulates;

  /// Stores packs of neighbours that begin every kStep columns from `first` on; where there are packs, all of
  /// one are inside or none.
  template <int kStep, int N, int kCount>
  __device__ void store(const Floats<N> (&values)[kCount], int first) const {
    if (data == nullptr) return;
    Floats<N> before[kCount] = {};
    if (accumulates) {  // all loads first: one wait for memory, not one a pack
#pragma unroll
      for (int pack = 0; pack < kCount; ++pack) before[pack] = load<N>(first + pack * kStep);
    }
#pragma unroll
    for (int pack = 0; pack < kCount; ++pack) {
      const int column = first + pack * kStep;
      if (column >= columns) break;
      Floats<N> sums = values[pack];
      if (bias != nullptr)
        for (int i = 0; i < N; ++i)
          if (column + i < columns) sums[i] += bias[column + i];
      if (accumulates)
        for (int i = 0; i < N; ++i) sums[i] += before[pack][i];
      if (N > 1 && has_packs) {
        store_floats(sums, data + column);
      } else {
        for (int i = 0; i < N; ++i)
          if (column + i < columns) data[column + i] = from_float<T>(sums[i]);
      }
    }
  }

 private:
  /// What lies there, as far as there is such a column.
  template <int N>
  __device__ Floats<N> load(int column) const {
    if (N > 1 && has_packs) return column < columns ? load_floats<N>(data + column) : Floats<N>{};
    Floats<N> values = {};
    for (int i = 0; i < N; ++i)
      if (column + i < columns) values[i] = to_float(data[column + i]);
    return values;
  }
};

/// Where the product goes. Columns are neighbours in memory.
template <class T, class RowAxis>
struct ProductOutput {
  using Element = T;
  T* data;
  RowAxis rows;
  int columns;
  const float* bias = nullptr;  ///< [columns], added to every row; may be null
  bool has_packs = false;       ///< whether groups of four columns are aligned as Pack<T, 4>, and none is cut
  bool accumulates = false;     ///< adds the product to what is there

  __device__ OutputRow<T> row(int index) const {
    T* const start = index < rows.size ? data + rows.place(rows.at(index)).offset : nullptr;
    return {start, bias, columns, has_packs, accumulates};
  }
};

/// A block's tile of the product, by blockIdx.x: blocks that share rows of a run side by side, so that they
/// meet in the L2 cache.
struct TilePosition {
  int first_row;
  int first_column;
};
template <class Shape>
__device__ TilePosition tile_of_block(int columns) {
  const int across = (columns + Shape::kColumns - 1) / Shape::kColumns, block = static_cast<int>(blockIdx.x);
  return {block / across * Shape::kRows, block % across * Shape::kColumns};
}

struct DepthRange {
  int begin;
  int end;
};

/// Computes the tile at `position`, summed over the depths of `range`, and gives the sums to `finish`. Called
/// by all threads of a block, with Config::kSharedBytes of dynamic shared memory; some of its threads may
/// still multiply when others finish.
template <class Config, class A, class B, class Finish>
__device__ void sum_tile(const A& a, const B& b, TilePosition position, DepthRange range,
                         const Finish& finish) {
  using T = typename Config::T;
  using Shape = typename Config::Shape;
  constexpr int kStages = Config::kStages;
  constexpr int kElementsA = SharedTile<T, Shape::kRows, A::kOrder>::kElements;
  constexpr int kElementsOfStage = kElementsA + SharedTile<T, Shape::kColumns, B::kOrder>::kElements;
  T* const stages = dynamic_shared<T>();

  TileLoader<A, Shape::kRows, Config::kVectorA, Config::kThreads> loader_a(a, position.first_row, range.begin,
                                                                           range.end);
  TileLoader<B, Shape::kColumns, Config::kVectorB, Config::kThreads> loader_b(b, position.first_column,
                                                                              range.begin, range.end);
  const auto load = [&](int stage) {
    loader_a.load(stages + stage * kElementsOfStage);
    loader_b.load(stages + stage * kElementsOfStage + kElementsA);
  };
  // A group is committed for every tile, even those past the last, so that "all but the youngest kStages − 2"
  // always means the tile that is multiplied next.
  int tiles_left = (range.end - range.begin + kTileDepth<T> - 1) / kTileDepth<T>;
#pragma unroll 1
  for (int stage = 0; stage < kStages - 1; ++stage) {
    if (stage < tiles_left) load(stage);
    cp_async_commit();
  }
  typename Config::template Sums<A::kOrder, B::kOrder> sums;
  for (int stage = 0; tiles_left > 0; --tiles_left) {
    cp_async_wait<kStages - 2>();
    // The tile is here for all threads, and all have multiplied the one before it: its stage is free.
    __syncthreads();
    if (tiles_left >= kStages) load(stage == 0 ? kStages - 1 : stage - 1);
    cp_async_commit();
    sums.multiply(stages + stage * kElementsOfStage, stages + stage * kElementsOfStage + kElementsA);
    stage = stage + 1 < kStages ? stage + 1 : 0;
  }
  finish(sums);
}

/// What is to be done with the sums beside storing them: nothing.
struct NoEpilogue {
  template <class Sums>
  __device__ void operator()(const Sums&) const {}
};

/// As sum_tile; stores the tile, and gives the sums to `epilogue`.
template <class Config, class A, class B, class Output, class Epilogue = NoEpilogue>
__device__ void multiply_tile(const A& a, const B& b, TilePosition position, DepthRange range,
                              const Output& output, const Epilogue& epilogue = {}) {
  sum_tile<Config>(a, b, position, range, [&](const auto& sums) {
    sums.store(output, position.first_row, position.first_column);
    epilogue(sums);
  });
}

// On the host: which instantiation to launch.

/// Collects what has to be aligned for copies of many elements at once.
class Alignment {
 public:
  template <class T>
  Alignment& pointer(const T* data) {
    bits_ |= reinterpret_cast<std::uintptr_t>(data);
    return *this;
  }
  /// Extents or strides, in elements of T.
  template <class T>
  Alignment& elements(std::initializer_list<std::int64_t> counts) {
    for (const std::int64_t count : counts) bits_ |= static_cast<std::uintptr_t>(count) * sizeof(T);
    return *this;
  }
  /// An image with this many channels.
  template <class ImagesOfT>
  Alignment& images(const ImagesOfT& images, int channels) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(images.data)>>;
    return pointer(images.data)
        .template elements<T>(
            {images.run_stride, images.strides.n, images.strides.h, images.strides.w, channels});
  }
  bool is_multiple_of(std::uintptr_t bytes) const { return bits_ % bytes == 0; }

 private:
  std::uintptr_t bits_ = 0;
};

/// What has to be aligned of the two operands of a product.
struct OperandAlignment {
  Alignment a;
  Alignment b;
};

/// Calls launch(TileConfig<…>{}) for the widest copies that the operands are aligned for, in tiles of
/// `Shape`; narrower copies come with SmallTile only. That one operand alone has wide copies is for first
/// layers, where x has three channels, but y_grad many.
template <class T, Unit unit, class Shape, class Launch>
void with_vectors(const OperandAlignment& operands, const Launch& launch) {
  constexpr int kWidest = 16 / int{sizeof(T)};
  const bool a_is_wide = operands.a.is_multiple_of(16);
  if (a_is_wide && operands.b.is_multiple_of(16))
    return launch(TileConfig<T, unit, Shape, kWidest, kWidest>{});
  if constexpr (sizeof(T) == 2)
    if (operands.a.is_multiple_of(8) && operands.b.is_multiple_of(8))
      return launch(TileConfig<T, unit, SmallTile, 4, 4>{});
  if (a_is_wide) return launch(TileConfig<T, unit, SmallTile, kWidest, 1>{});
  launch(TileConfig<T, unit, SmallTile, 1, 1>{});
}

template <class Shape>
std::int64_t tiles_of(std::int64_t rows, std::int64_t columns) {
  return ceil_divide(rows, Shape::kRows) * ceil_divide(columns, Shape::kColumns);
}

/// Blocks that fill the largest GPU in mind (132 SMs), one each. A constant rather than a question to the
/// device, so that every machine computes the same.
inline constexpr int kManyBlocks = 132;

/// As with_vectors, in the largest tiles that make many blocks.
template <class T, Unit unit, class Launch>
void with_tile(const OperandAlignment& operands, std::int64_t rows, std::int64_t columns,
               const Launch& launch) {
  if (columns > TallTile::kColumns && tiles_of<LargeTile>(rows, columns) >= kManyBlocks)
    return with_vectors<T, unit, LargeTile>(operands, launch);
  if (tiles_of<TallTile>(rows, columns) >= kManyBlocks)
    return with_vectors<T, unit, TallTile>(operands, launch);
  with_vectors<T, unit, SmallTile>(operands, launch);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
