/// Copies between layouts and between fp32 and bf16.
/// The host first merges extents that are one in both tensors (NCHW to NHWC has three: N, C and H·W). What is
/// then left decides: neighbours in y that are neighbours in x are copied in packs; where x has its
/// neighbours in another extent, tiles of 32x32 go through shared memory, so that both sides move whole
/// lines. Every element is read once and written once. v1 packs of up to 16 bytes per thread, or tiles
/// through shared memory
#include "kernels/convert.h"

#include <algorithm>
#include <utility>

#include "kernels/pack.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kTile = 32;
constexpr int kTileRows = 8;  // rows of a tile that a block moves at a time
constexpr int kTileThreads = kTile * kTileRows;

/// A conversion of elements From to elements To, extents in the order of the strides of y, the last is the
/// smallest.
template <class From, class To>
struct Copy {
  const From* x;
  To* y;
  ConvertExtent extents[4];
  std::int64_t x_run_stride;
  std::int64_t y_run_stride;
  int runs;

  std::int64_t elements() const {
    return extents[0].size * extents[1].size * extents[2].size * extents[3].size;
  }
};

/// Unchanged where the types are the same: bytes, not numbers, so that every NaN keeps its bits.
template <class To, class From>
__device__ To converted(From value) {
  if constexpr (std::is_same_v<From, To>)
    return value;
  else
    return from_float<To>(to_float(value));
}

/// The elements of one run in y's order, N (which divides the last extent) at a time. Index is wide enough
/// for their number: divisions of 64 bits would cost more than the copy.
template <int N, class Index, class From, class To>
__global__ void __launch_bounds__(kFlatThreads) convert_v1(Copy<From, To> copy, Index elements) {
  Index rest = (static_cast<Index>(blockIdx.x) * kFlatThreads + threadIdx.x) * N;
  if (rest >= elements) return;
  const std::int64_t run = blockIdx.y;
  std::int64_t from = run * copy.x_run_stride, to = run * copy.y_run_stride;
  for (int i = 3; i >= 0; --i) {
    const Index size = static_cast<Index>(copy.extents[i].size);
    const auto at = static_cast<std::int64_t>(rest % size);
    rest /= size;
    from += at * copy.extents[i].x_stride;
    to += at * copy.extents[i].y_stride;
  }
  const Pack<From, N> values = load_pack<N>(copy.x + from);
  Pack<To, N> results;
  for (int i = 0; i < N; ++i) results[i] = converted<To>(values[i]);
  store_pack(results, copy.y + to);
}

/// Tiles of the extents 2 (neighbours in x) and 3 (neighbours in y).
template <class From, class To>
__global__ void __launch_bounds__(kTileThreads) convert_transposing_v1(Copy<From, To> copy) {
  __shared__ From tile[kTile][kTile + 1];  // a column of it touches every bank once
  const auto [outer, middle, columns, rows] = copy.extents;
  const std::int64_t tiles_across = (columns.size + kTile - 1) / kTile;
  const std::int64_t tiles_down = (rows.size + kTile - 1) / kTile;
  std::int64_t block = blockIdx.x;
  const std::int64_t row = block % tiles_down * kTile;
  block /= tiles_down;
  const std::int64_t column = block % tiles_across * kTile;
  block /= tiles_across;
  const std::int64_t in_middle = block % middle.size, in_outer = block / middle.size, run = blockIdx.y;
  const From* const __restrict__ x =
      copy.x + run * copy.x_run_stride + in_outer * outer.x_stride + in_middle * middle.x_stride;
  To* const __restrict__ y =
      copy.y + run * copy.y_run_stride + in_outer * outer.y_stride + in_middle * middle.y_stride;

  const int fast = static_cast<int>(threadIdx.x);
  for (int slow = static_cast<int>(threadIdx.y); slow < kTile; slow += kTileRows)
    if (row + slow < rows.size && column + fast < columns.size)
      tile[slow][fast] = x[(row + slow) * rows.x_stride + (column + fast) * columns.x_stride];
  __syncthreads();
  for (int slow = static_cast<int>(threadIdx.y); slow < kTile; slow += kTileRows)
    if (row + fast < rows.size && column + slow < columns.size)
      y[(row + fast) * rows.y_stride + (column + slow) * columns.y_stride] = converted<To>(tile[fast][slow]);
}

/// Extents of 1 get strides of 0; two extents that are one in both tensors become one; then they are brought
/// into the order of y's strides, the smallest last.
void simplify(ConvertExtent (&extents)[4]) {
  for (ConvertExtent& extent : extents)
    if (extent.size == 1) extent = {};
  for (bool has_merged = true; has_merged;) {
    has_merged = false;
    for (ConvertExtent& outer : extents)
      for (ConvertExtent& inner : extents) {
        if (&outer == &inner || outer.size == 1 || inner.size == 1) continue;
        if (outer.x_stride != inner.size * inner.x_stride || outer.y_stride != inner.size * inner.y_stride)
          continue;
        inner.size *= outer.size;
        outer = {};
        has_merged = true;
      }
  }
  std::stable_sort(std::begin(extents), std::end(extents),
                   [](const ConvertExtent& a, const ConvertExtent& b) {
                     return a.size == 1 ? b.size != 1 : b.size != 1 && a.y_stride > b.y_stride;
                   });
}

template <int N, class From, class To>
void launch_packs(const Copy<From, To>& copy, Stream stream) {
  const std::int64_t elements = copy.elements();
  const LaunchShape shape = flat_shape<N>(elements, copy.runs, stream);
  // The index of a thread beyond the last element must fit as well.
  if (elements < 0x7fffffff)
    launch(shape, convert_v1<N, std::uint32_t, From, To>, copy, elements);
  else
    launch(shape, convert_v1<N, std::int64_t, From, To>, copy, elements);
}

template <class From, class To>
void launch_transposing(const Copy<From, To>& copy, Stream stream) {
  const std::int64_t tiles =
      ceil_divide(copy.extents[2].size, kTile) * ceil_divide(copy.extents[3].size, kTile);
  launch({.grid = {grid_extent(copy.extents[0].size * copy.extents[1].size * tiles),
                   static_cast<unsigned>(copy.runs)},
          .block = {kTile, kTileRows},
          .stream = stream},
         convert_transposing_v1<From, To>, copy);
}

template <class From, class To>
void convert_elements(const ConvertArgs& args, Stream stream) {
  constexpr int kPack = std::min(kPackSize<From>, kPackSize<To>);
  // A tile narrower than this wastes more of each line than it saves.
  constexpr std::int64_t kNarrowest = 8;
  Copy<From, To> copy{static_cast<const From*>(args.x),
                      static_cast<To*>(args.y),
                      {args.extents[0], args.extents[1], args.extents[2], args.extents[3]},
                      args.x_run_stride,
                      args.y_run_stride,
                      args.runs};
  simplify(copy.extents);
  if (copy.elements() == 0) return;  // an empty grid is a launch error

  const ConvertExtent& last = copy.extents[3];
  if (last.x_stride == 1 && last.y_stride == 1) {
    const auto& [a, b, c, d] = copy.extents;
    const bool is_packed =
        d.size % kPack == 0 &&
        holds_packs<kPack>(copy.x, {a.x_stride, b.x_stride, c.x_stride, copy.x_run_stride}) &&
        holds_packs<kPack>(copy.y, {a.y_stride, b.y_stride, c.y_stride, copy.y_run_stride});
    return is_packed ? launch_packs<kPack>(copy, stream) : launch_packs<1>(copy, stream);
  }
  const auto neighbours = std::find_if(std::begin(copy.extents), std::end(copy.extents) - 1,
                                       [](const ConvertExtent& e) { return e.x_stride == 1; });
  const bool is_tiled =
      neighbours != std::end(copy.extents) - 1 && neighbours->size >= kNarrowest && last.size >= kNarrowest;
  if (!is_tiled) return launch_packs<1>(copy, stream);
  std::swap(*neighbours, copy.extents[2]);
  launch_transposing(copy, stream);
}

}  // namespace

void convert(const ConvertArgs& args, Stream stream) {
  switch (args.conversion) {
    case Conversion::kCopy1:
      return convert_elements<std::uint8_t, std::uint8_t>(args, stream);
    case Conversion::kCopy2:
      return convert_elements<std::uint16_t, std::uint16_t>(args, stream);
    case Conversion::kCopy4:
      return convert_elements<std::uint32_t, std::uint32_t>(args, stream);
    case Conversion::kCopy8:
      return convert_elements<std::uint64_t, std::uint64_t>(args, stream);
    case Conversion::kFp32ToBf16:
      return convert_elements<float, Bf16>(args, stream);
    case Conversion::kBf16ToFp32:
      return convert_elements<Bf16, float>(args, stream);
  }
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
