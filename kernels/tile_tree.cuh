#pragma once
/// Two numbers of every column of a matrix, from those that blocks have of their tiles of it (of a product,
/// or chunks of rows): the last block of a group of √tiles tiles puts the group's together, the last of those
/// the groups'. A kernel behind would be one launch more, and its few blocks would have all tiles to read:
/// with one for every 64 rows, thousands a column.
///
/// Tiles are taken in their order within a group, groups in theirs, whichever block comes last: the bits
/// depend on the tiles alone.

#include <cstddef>
#include <cstdint>

#include "kernels/grid.h"
#include "kernels/simt.h"
#include "kernels/ticket.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// The tiles along the rows, and where blocks leave what they have of them.
struct TileTree {
  int tiles;
  int tiles_of_group;
  int groups;
  int columns;        ///< of the matrix
  int* tickets;       ///< [runs][strips][groups + 1], zero
  float* partials;    ///< [runs][tiles][2][columns]
  double* of_groups;  ///< [runs][groups][2][columns]

  /// Two numbers of a column lie here, and `columns` further.
  __device__ float* partial(std::int64_t run, int tile) const {
    return partials + (run * tiles + tile) * 2 * columns;
  }
  __device__ double* of_group(std::int64_t run, int group) const {
    return of_groups + (run * groups + group) * 2 * columns;
  }
};

/// ⌈√count⌉, at least 1.
constexpr int ceil_square_root(std::int64_t count) {
  int root = 1;
  while (std::int64_t{root} * root < count) ++root;
  return root;
}

/// Of `tiles` tiles down a matrix with so many columns. The workspace is aligned to a double.
inline TileTree tile_tree(std::int64_t tiles, int columns, int runs, float* workspace, int* tickets) {
  const int of_group = ceil_square_root(tiles);
  const std::int64_t partials = runs * tiles * 2 * columns;
  return {.tiles = static_cast<int>(tiles),
          .tiles_of_group = of_group,
          .groups = static_cast<int>(ceil_divide(tiles, of_group)),
          .columns = columns,
          .tickets = tickets,
          .partials = workspace,
          .of_groups = reinterpret_cast<double*>(workspace + partials)};
}

/// What follows it in the workspace.
__host__ __device__ inline float* end_of(const TileTree& tree, int runs) {
  return reinterpret_cast<float*>(tree.of_groups + std::int64_t{runs} * tree.groups * 2 * tree.columns);
}

/// Bytes of the workspace for at most `tiles` tiles.
inline std::size_t tile_tree_workspace(std::int64_t tiles, int columns, int runs) {
  const std::int64_t of_column = tiles * sizeof(float) + ceil_square_root(tiles) * sizeof(double);
  return static_cast<std::size_t>(2 * of_column * columns * runs);
}

/// Tickets for at most `tiles` tiles, in strips of at least so many columns.
inline int tile_tree_tickets(std::int64_t tiles, int columns, int columns_of_strip, int runs) {
  const std::int64_t strips = ceil_divide(columns, columns_of_strip);
  return static_cast<int>(runs * strips * (ceil_square_root(tiles) + 1));
}

/// Two numbers of a column, of some of its rows.
struct ColumnPair {
  double first;
  double second;
};

/// Puts together sums.
class SumOfTiles {
 public:
  __device__ void add(ColumnPair sums, double /*rows*/) {
    total_.first += sums.first;
    total_.second += sums.second;
  }
  __device__ ColumnPair total() const { return total_; }

 private:
  ColumnPair total_ = {};
};

/// Puts together a mean and the sum of squared deviations from it, of so many rows each, at least one.
/// Deviations are taken from the first mean; what that was wrong by is subtracted in the end. Of t equal
/// parts the difference is at least 1/t of what it is taken from, and that a sum of t terms: of many parts it
/// is wrong by 2t²·2⁻⁵³ of itself at most, 10⁻¹² of 64. Means that are infinite give NaN.
class MomentsOfTiles {
 public:
  __device__ void add(ColumnPair moments, double rows) {
    if (rows_ == 0) pivot_ = moments.first;
    const double deviation = moments.first - pivot_;
    rows_ += rows;
    sum_ += rows * deviation;
    squares_ += moments.second + rows * deviation * deviation;
  }
  __device__ ColumnPair total() const {
    const double shift = sum_ / rows_;
    return {pivot_ + shift, squares_ - shift * sum_};
  }

 private:
  double rows_ = 0, pivot_ = 0, sum_ = 0, squares_ = 0;
};

/// Adds pairs first … first + count − 1 to `merged`, in this order; many are on their way at once.
template <class Merged, class Load, class Rows>
__device__ void add_pairs(Merged& merged, int first, int count, const Load& load, const Rows& rows_of) {
  constexpr int kInFlight = 8;
#pragma unroll 1
  for (int done = 0; done < count; done += kInFlight) {
    decltype(load(first)) pairs[kInFlight];
#pragma unroll
    for (int i = 0; i < kInFlight; ++i) pairs[i] = load(first + min(done + i, count - 1));
#pragma unroll
    for (int i = 0; i < kInFlight; ++i)
      if (done + i < count) merged.add({pairs[i].first, pairs[i].second}, rows_of(first + done + i));
  }
}

/// What all blocks of a matrix do when they have left their part of tile `tile` in the tree, each a strip of
/// kColumns columns of it: for the last of a strip `finish(column, pair)` is called, by one thread a column,
/// `thread` being that of the block. `rows_of_tile(tile)` is asked of tiles that there are; all but the last
/// are alike. Called by all threads of the block.
template <int kColumns, class Merged, class Rows, class Finish>
__device__ void finish_columns(const TileTree& tree, int tile, int first_column, int thread,
                               const Rows& rows_of_tile, const Finish& finish) {
  struct Floats2 {
    float first, second;
  };
  const int run = static_cast<int>(blockIdx.y);
  const int group = tile / tree.tiles_of_group, first_tile = group * tree.tiles_of_group;
  const int tiles = min(tree.tiles_of_group, tree.tiles - first_tile);
  const int strips = (tree.columns + kColumns - 1) / kColumns;
  int* const tickets = tree.tickets + (run * strips + first_column / kColumns) * (tree.groups + 1);
  if (!is_last_block(tickets + group, tiles)) return;
  const int column = first_column + thread;
  const bool is_inside = thread < kColumns && column < tree.columns;
  Merged merged;
  if (is_inside)
    add_pairs(
        merged, first_tile, tiles,
        [&](int of) {
          const float* const partial = tree.partial(run, of) + column;
          return Floats2{partial[0], partial[tree.columns]};
        },
        rows_of_tile);
  if (tree.groups > 1) {
    if (is_inside) {
      const ColumnPair total = merged.total();
      double* const to = tree.of_group(run, group) + column;
      to[0] = total.first;
      to[tree.columns] = total.second;
    }
    if (!is_last_block(tickets + tree.groups, tree.groups)) return;
    merged = Merged();
    if (is_inside)
      add_pairs(
          merged, 0, tree.groups,
          [&](int of) {
            const double* const from = tree.of_group(run, of) + column;
            return ColumnPair{from[0], from[tree.columns]};
          },
          [&](int of) {
            const int first = of * tree.tiles_of_group;
            const int last = min(first + tree.tiles_of_group, tree.tiles) - 1;
            return (last - first) * rows_of_tile(first) + rows_of_tile(last);
          });
  }
  if (is_inside) finish(column, merged.total());
}

/// For sums, whose rows nobody asks for.
struct NoRows {
  __device__ double operator()(int /*tile*/) const { return 0; }
};

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
