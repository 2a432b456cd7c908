#pragma once
/// The sliding window of a convolution as axes of an implicit matrix product: positions of the window on one
/// axis, its taps (with the channels) on the other. What both meet is a pixel of the source, or padding.

#include <algorithm>
#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/implicit_gemm.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// A range of indices [begin, end); empty where end <= begin.
struct IndexRange {
  int begin;
  int end;

  __device__ int count() const { return end > begin ? end - begin : 0; }
};

/// One dimension of the window: at `position`, `tap` meets source pixel position·scale + shift + tap, which
/// is padding outside of [0, source_extent).
struct WindowDimension {
  int positions;
  int taps;
  int scale;
  int shift;
  int source_extent;

  /// The taps that meet the source at some position of the range, which is not empty.
  __device__ IndexRange taps_on_source(IndexRange of_positions) const {
    const int first = of_positions.begin * scale + shift, last = (of_positions.end - 1) * scale + shift;
    return {max(0, -last), min(taps, source_extent - first)};
  }
  /// The positions at which some tap of the range, which is not empty, meets the source.
  __device__ IndexRange positions_on_source(IndexRange of_taps) const {
    const int low = -shift - (of_taps.end - 1);                  // position·scale >= low
    const int high = source_extent - 1 - shift - of_taps.begin;  // position·scale <= high
    return {low <= 0 ? 0 : (low + scale - 1) / scale, high < 0 ? 0 : min(positions, high / scale + 1)};
  }
};

/// Order of the pixels of a batch along an axis.
enum class PixelOrder : std::uint8_t {
  kImageByImage,  ///< n, i, j: j fastest
  kPixelByPixel,  ///< i, j, n: a pixel of all images, then the next
};

/// Pixel by pixel where the images lie so (HWNC), and where they are small. Rows of a tile then belong to few
/// pixels, and taps that fall on the padding there need not be multiplied: of a 3×3 window they are 56 % at
/// 2×2 pixels, 31 % at 4×4, 16 % at 8×8 and 8 % at 16×16. Larger images stay together in the caches instead.
inline PixelOrder pixel_order_of(const ImageStrides& source, int height, int width) {
  constexpr int kSmallImage = 64;
  const bool is_pixel_major = source.n < source.w;
  return is_pixel_major || std::int64_t{height} * width <= kSmallImage ? PixelOrder::kPixelByPixel
                                                                       : PixelOrder::kImageByImage;
}

/// A window over all images of a batch.
struct Window {
  WindowDimension vertical;
  WindowDimension horizontal;
  int batch;
  PixelOrder order;

  __device__ int positions() const { return batch * vertical.positions * horizontal.positions; }

  /// All positions, with the strides of images that have one pixel per position.
  __device__ DigitAxis positions_axis(const ImageStrides& strides) const {
    const bool is_by_pixel = order == PixelOrder::kPixelByPixel;
    return {.size = positions(),
            .extent_b = max(1, is_by_pixel ? horizontal.positions : vertical.positions),  // is divided by
            .extent_c = max(1, is_by_pixel ? batch : horizontal.positions),
            .stride_a = is_by_pixel ? strides.h : strides.n,
            .stride_b = is_by_pixel ? strides.w : strides.h,
            .stride_c = is_by_pixel ? strides.n : strides.w,
            .pixel_digits = is_by_pixel ? PixelDigits::kAB : PixelDigits::kBC,
            .scale = vertical.scale,
            .shift_i = vertical.shift,
            .shift_j = horizontal.shift};
  }
  /// All positions, with the strides of the source images.
  __device__ DigitAxis source_axis(const ImageStrides& source) const {
    return positions_axis({source.n, source.h * vertical.scale, source.w * horizontal.scale});
  }
  /// All taps and, fastest, their channels.
  __device__ DigitAxis taps_axis(int channels, std::int64_t stride_h, std::int64_t stride_w,
                                 std::int64_t stride_c) const {
    return {.size = vertical.taps * horizontal.taps * channels,
            .extent_b = max(1, horizontal.taps),  // is divided by
            .extent_c = channels,
            .stride_a = stride_h,
            .stride_b = stride_w,
            .stride_c = stride_c,
            .pixel_digits = PixelDigits::kAB,
            .scale = 1,
            .shift_i = 0,
            .shift_j = 0};
  }
  /// From the first pixel of the source to what tap (0,0) meets at position (0,0).
  __device__ std::int64_t origin(const ImageStrides& source) const {
    return vertical.shift * source.h + horizontal.shift * source.w;
  }

  struct Taps {
    IndexRange vertical;
    IndexRange horizontal;
  };
  /// The taps that a tile needs whose rows are the positions from first_row: those that meet more than
  /// padding in the group of kGroup positions around them. (A group rather than the tile itself, so that the
  /// order of summation is the same in tiles of any shape.)
  __device__ Taps taps_of_tile(int first_row) const {
    const DigitAxis axis = positions_axis({});
    const int first = first_row / kGroup * kGroup;
    const auto from = axis.at(first), to = axis.at(min(first + kGroup, axis.size) - 1);
    const bool is_by_pixel = order == PixelOrder::kPixelByPixel;
    IndexRange rows{0, vertical.positions}, columns{0, horizontal.positions};
    if (is_by_pixel || from.a == to.a) {
      rows = is_by_pixel ? IndexRange{from.a, to.a + 1} : IndexRange{from.b, to.b + 1};
      if (rows.count() == 1)
        columns = is_by_pixel ? IndexRange{from.b, to.b + 1} : IndexRange{from.c, to.c + 1};
    }
    return {vertical.taps_on_source(rows), horizontal.taps_on_source(columns)};
  }
  /// The same window with these taps only.
  __device__ Window with_taps(const Taps& taps) const {
    Window window = *this;
    window.vertical.taps = taps.vertical.count();
    window.vertical.shift += taps.vertical.begin;
    window.horizontal.taps = taps.horizontal.count();
    window.horizontal.shift += taps.horizontal.begin;
    return window;
  }

  /// A rectangle of positions.
  struct Positions {
    IndexRange vertical;
    IndexRange horizontal;
  };
  /// The positions that a tile needs whose rows are the taps × channels from first_row: those at which the
  /// taps of the group around them meet more than padding.
  __device__ Positions positions_of_tile(int first_row, int channels) const {
    const DigitAxis axis = taps_axis(channels, 0, 0, 0);
    const int first = first_row / kGroup * kGroup;
    const auto from = axis.at(first), to = axis.at(min(first + kGroup, axis.size) - 1);
    const IndexRange columns = from.a == to.a ? IndexRange{from.b, to.b + 1} : IndexRange{0, horizontal.taps};
    return {vertical.positions_on_source({from.a, to.a + 1}), horizontal.positions_on_source(columns)};
  }
  /// The same window at these positions only.
  __device__ Window with_positions(const Positions& positions) const {
    Window window = *this;
    window.vertical.positions = positions.vertical.count();
    window.vertical.shift += positions.vertical.begin * vertical.scale;
    window.horizontal.positions = positions.horizontal.count();
    window.horizontal.shift += positions.horizontal.begin * horizontal.scale;
    return window;
  }

 private:
  static constexpr int kGroup = LargeTile::kRows;
  static_assert(LargeTile::kRows == LargeTile::kColumns);
};

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
