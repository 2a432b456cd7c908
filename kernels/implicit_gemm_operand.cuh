#pragma once
/// Operands of implicit matrix products, and how their tiles get into shared memory.
///
/// An operand is a matrix [rows, depth] that need not lie in memory as one: each of its two axes maps an
/// index to a place, and the element of a row and a depth lies at the sum of their places. That covers images
/// seen as the patches under a sliding window (rows = positions, depth = taps and channels), their
/// transposes, and plain matrices.

#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/image.h"
#include "kernels/simt.h"
#include "kernels/simt_tensor_core.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// What one index of an axis adds to the address, in elements, and to the pixel (i,j) that is met there.
struct Place {
  std::int64_t offset;
  int i;
  int j;
};

/// Neighbours are `stride` elements apart.
struct PlainAxis {
  static constexpr bool kHasPixels = false;
  int size;
  std::int64_t stride;

  struct Cursor {
    int index;
  };
  using Step = Cursor;

  __device__ Cursor at(int index) const { return {index}; }
  __device__ Step step(int distance) const { return {distance}; }
  __device__ void advance(Cursor& cursor, Step step) const { cursor.index += step.index; }
  __device__ Place place(Cursor cursor) const { return {cursor.index * stride, 0, 0}; }
};

/// Which two digits of an axis are the coordinates of a pixel.
enum class PixelDigits : std::uint8_t { kAB, kBC };

/// An index is three digits, (a·extent_b + b)·extent_c + c, and lies at a·stride_a + b·stride_b + c·stride_c.
/// A cursor is split into its digits once, and from then on advances by additions and carries.
struct DigitAxis {
  static constexpr bool kHasPixels = true;
  int size;
  int extent_b, extent_c;
  std::int64_t stride_a, stride_b, stride_c;
  PixelDigits pixel_digits;
  int scale;  ///< the pixel is scale·digit + shift
  int shift_i, shift_j;

  struct Cursor {
    int a, b, c;
  };
  using Step = Cursor;

  __device__ Cursor at(int index) const {
    const int ab = index / extent_c;
    return {ab / extent_b, ab % extent_b, index % extent_c};
  }
  __device__ Step step(int distance) const { return at(distance); }
  __device__ void advance(Cursor& cursor, Step step) const {
    cursor.c += step.c;
    cursor.b += step.b;
    cursor.a += step.a;
    if (cursor.c >= extent_c) {
      cursor.c -= extent_c;
      ++cursor.b;
    }
    // Both digits and the carry were below the extent, so that one subtraction is enough.
    if (cursor.b >= extent_b) {
      cursor.b -= extent_b;
      ++cursor.a;
    }
  }
  __device__ Place place(Cursor cursor) const {
    const bool is_ab = pixel_digits == PixelDigits::kAB;
    return {cursor.a * stride_a + cursor.b * stride_b + cursor.c * stride_c,
            (is_ab ? cursor.a : cursor.b) * scale + shift_i, (is_ab ? cursor.b : cursor.c) * scale + shift_j};
  }
};

/// Which of two neighbours lie side by side in memory: those along the depth, or two rows.
enum class Order : std::uint8_t { kDepthFastest, kRowsFastest };

template <class Element, class RowAxis, class DepthAxis, Order order>
struct Operand {
  using T = Element;
  using Rows = RowAxis;
  using Depth = DepthAxis;
  static constexpr Order kOrder = order;
  /// Whether an element is a pixel of an image, which is zero outside of [0,height)×[0,width).
  static constexpr bool kHasPadding = RowAxis::kHasPixels && DepthAxis::kHasPixels;

  const T* data;  ///< where row 0 at depth 0 would lie, were it inside
  Rows rows;
  Depth depth;
  int height = 0;
  int width = 0;
};

/// Depth of the tiles in shared memory: 64 bytes, two steps of either tensor core instruction.
template <class T>
inline constexpr int kTileDepth = 64 / static_cast<int>(sizeof(T));

/// A tile [rows, kTileDepth] in shared memory, in the order that the operand has in global memory. Padding
/// keeps the accesses of a warp in different banks (of 4 bytes, 32 in all):
/// - depth fastest: 80 bytes from row to row. The 16-byte chunks of 8 neighbouring rows, which is what one
///   phase of ldmatrix and of a 16-byte load touches, start at banks 0, 20, 8, 28, 16, 4, 24, 12.
/// - rows fastest: 8 elements more than rows. In fp32 depths start 8 banks apart, so that the 4 depths × 8
///   rows of an m16n8k8 fragment fill the 32 banks; in bfloat16 they start 4 apart, as ldmatrix wants them.
template <class T, int rows, Order order>
struct SharedTile {
  static constexpr int kRows = rows;
  static constexpr int kPitch =
      order == Order::kDepthFastest ? kTileDepth<T> + 16 / int{sizeof(T)} : rows + 8;
  static constexpr int kElements = (order == Order::kDepthFastest ? rows : kTileDepth<T>)*kPitch;

  static __device__ int offset(int row, int depth) {
    return order == Order::kDepthFastest ? row * kPitch + depth : depth * kPitch + row;
  }
};

/// Copies kVector elements, or zeros; asynchronous but for the 2-byte copies, for which there is no
/// instruction.
template <int kVector, class T>
__device__ void copy_to_shared(T* shared, const T* global, bool is_valid) {
  constexpr int kBytes = kVector * int{sizeof(T)};
  if constexpr (kBytes >= 4)
    cp_async<kBytes>(shared, global, is_valid);
  else
    *shared = is_valid ? *global : T{};
}

/// One thread's share in copying the tiles [kRows, kTileDepth] of an operand, one after another along the
/// depth.
///
/// Vectors of kVector neighbours are dealt to the threads in the order of memory; a thread copies one per
/// pass. Where depths are neighbours all its vectors have the same depth, and the places of its rows are
/// found once; where rows are neighbours it is the other way round. So a tile costs few additions, and no
/// division.
template <class Operand, int kRows, int kVector, int kThreads>
class TileLoader {
  using T = typename Operand::T;
  using Tile = SharedTile<T, kRows, Operand::kOrder>;
  static constexpr bool kIsDepthFastest = Operand::kOrder == Order::kDepthFastest;
  static constexpr int kVectors = (kIsDepthFastest ? kTileDepth<T> : kRows) / kVector;  // side by side
  static constexpr int kLines = kIsDepthFastest ? kRows : kTileDepth<T>;
  static constexpr int kLinesPerPass = kThreads / kVectors;
  static constexpr int kPasses = kLines / kLinesPerPass;
  static_assert(kThreads % kVectors == 0 && kLines % kLinesPerPass == 0, "threads would be idle");
  static constexpr int kRowPlaces = kIsDepthFastest ? kPasses : 1;
  static_assert(kRowPlaces <= 32, "valid_rows_ has 32 bits");

 public:
  /// The tiles have the rows from first_row and the depths of [begin, end).
  __device__ TileLoader(const Operand& operand, int first_row, int begin, int end) : operand_(operand) {
    const int thread = static_cast<int>(threadIdx.x);
    const int line = thread / kVectors, neighbour = thread % kVectors * kVector;
    const int row = kIsDepthFastest ? line : neighbour, depth = kIsDepthFastest ? neighbour : line;
    shared_offset_ = Tile::offset(row, depth);
#pragma unroll
    for (int place = 0; place < kRowPlaces; ++place) {
      const int index = first_row + row + place * kLinesPerPass;
      const Place row_place = operand.rows.place(operand.rows.at(index));
      rows_[place] = {operand.data + row_place.offset, row_place.i, row_place.j};
      if (index < operand.rows.size) valid_rows_ |= 1u << place;
    }
    depth_ = operand.depth.at(begin + depth);
    step_ = operand.depth.step(kDepthStep);
    depth_left_ = end - begin - depth;
    // A single row needs no bit of its own in the loop: without the row, no depth is left.
    if (kRowPlaces == 1 && valid_rows_ == 0) depth_left_ = 0;
  }

  /// Starts to copy the next tile.
  __device__ void load(T* tile) {
    T* const shared = tile + shared_offset_;
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int row_place = kIsDepthFastest ? pass : 0;
      const RowPlace row = rows_[row_place];
      const Place depth = operand_.depth.place(depth_);
      bool is_valid = depth_left_ > 0;
      if constexpr (kRowPlaces > 1) is_valid = is_valid && (valid_rows_ >> row_place & 1u) != 0;
      if constexpr (Operand::kHasPadding)
        is_valid = is_valid && is_index(row.i + depth.i, operand_.height) &&
                   is_index(row.j + depth.j, operand_.width);
      copy_to_shared<kVector>(shared + pass * kLinesPerPass * Tile::kPitch, row.data + depth.offset,
                              is_valid);
      if (!kIsDepthFastest) advance();
    }
    if (kIsDepthFastest) advance();
  }

 private:
  static constexpr int kDepthStep = kIsDepthFastest ? kTileDepth<T> : kLinesPerPass;

  struct RowPlace {
    const T* data;
    int i;
    int j;
  };

  /// Whether 0 <= index < extent.
  static __device__ bool is_index(int index, int extent) {
    return static_cast<unsigned>(index) < static_cast<unsigned>(extent);
  }
  __device__ void advance() {
    operand_.depth.advance(depth_, step_);
    depth_left_ -= kDepthStep;
  }

  const Operand& operand_;
  RowPlace rows_[kRowPlaces];
  unsigned valid_rows_ = 0;
  int shared_offset_;
  typename Operand::Depth::Cursor depth_;
  typename Operand::Depth::Step step_;
  int depth_left_;
};

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
