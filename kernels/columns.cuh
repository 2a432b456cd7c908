#pragma once
/// A matrix [rows, channels], channels side by side, as the kernels walk over it that have one number per
/// channel: batch normalisation and biases.
///
/// A block has kColumnPacks packs of channels in x (128 bytes of a row: whole cache lines) and kRowLanes rows
/// in y, and takes one chunk of the rows; lane l of a chunk visits its rows l, l + kRowLanes, …. Chunks and
/// lanes depend on the shape of the matrix alone, so a sum over rows has the same order, and the same bits,
/// with packs of any size, any number of runs, and on every GPU.

#include <algorithm>
#include <cstdint>

#include "kernels/grid.h"
#include "kernels/pack.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

inline constexpr int kColumnPacks = 8;
inline constexpr int kRowLanes = 32;
inline constexpr int kColumnThreads = kColumnPacks * kRowLanes;
/// Rows that a lane has loaded before it computes with the first: 64 bytes in flight per thread and operand.
inline constexpr int kRowsInFlight = 4;

/// The rows of a matrix, cut for blocks.
struct RowChunks {
  std::int64_t rows;
  std::int64_t rows_per_chunk;
  int channels;
  int count;
};

/// How many chunks row_chunks makes at most.
inline std::int64_t most_chunks(int channels) {
  constexpr std::int64_t kBlocks = 1024, kChannels = 32;
  return std::max<std::int64_t>(1, kBlocks / ceil_divide(channels, kChannels));
}

/// Chunks of at least `fewest_rows` rows; no more chunks than make about 1024 blocks of 32 channels, twice
/// the blocks that the largest GPU here (132 SMs) holds at once. No rows make one empty chunk.
inline RowChunks row_chunks(std::int64_t rows, int channels, int fewest_rows = kRowLanes * kRowsInFlight) {
  const std::int64_t most = most_chunks(channels);
  const std::int64_t size = std::max<std::int64_t>(ceil_divide(rows, most), fewest_rows);
  return {rows, size, channels, static_cast<int>(std::max<std::int64_t>(1, ceil_divide(rows, size)))};
}

template <int N>
constexpr __host__ __device__ int channel_groups(int channels) {
  return (channels + kColumnPacks * N - 1) / (kColumnPacks * N);
}

/// One block per chunk and group of kColumnPacks packs of N channels; runs in y.
template <int N>
LaunchShape columns_shape(const RowChunks& chunks, int runs, Stream stream) {
  return {.grid = {grid_extent(std::int64_t{chunks.count} * channel_groups<N>(chunks.channels)),
                   static_cast<unsigned>(runs)},
          .block = {kColumnPacks, kRowLanes},
          .stream = stream};
}

/// What one thread of such a block works on.
struct ColumnShare {
  int channel;     ///< first of its pack
  bool is_inside;  ///< whether there is such a channel: those beyond the last only keep barriers company
  int chunk;
  std::int64_t first_row;
  std::int64_t end_row;  ///< of the chunk
};

template <int N>
__device__ ColumnShare share_of_thread(const RowChunks& chunks) {
  const int groups = channel_groups<N>(chunks.channels), block = static_cast<int>(blockIdx.x);
  const int chunk = block / groups;
  const int channel = (block % groups * kColumnPacks + static_cast<int>(threadIdx.x)) * N;
  const std::int64_t begin = chunk * chunks.rows_per_chunk, end = begin + chunks.rows_per_chunk;
  return {.channel = channel,
          .is_inside = channel < chunks.channels,
          .chunk = chunk,
          .first_row = begin + threadIdx.y,
          .end_row = end < chunks.rows ? end : chunks.rows};
}

/// Calls `visit(row, count)` for the rows of a lane in their order, `count` <= kRowsInFlight of them at a
/// time: row, row + kRowLanes, ….
template <class Visit>
__device__ void for_each_row_group(const ColumnShare& share, const Visit& visit) {
  constexpr int kStep = kRowLanes * kRowsInFlight;
  std::int64_t row = share.first_row;
  for (; row + (kStep - kRowLanes) < share.end_row; row += kStep) visit(row, kRowsInFlight);
  if (row < share.end_row) visit(row, static_cast<int>((share.end_row - row + kRowLanes - 1) / kRowLanes));
}

/// The packs of one row group.
template <class T, int N>
struct RowGroup {
  Pack<T, N> rows[kRowsInFlight];
};

/// Loads the packs at `from` and `count` − 1 more, each kRowLanes rows further; rows start `pitch` elements
/// apart.
template <int N, class T>
__device__ RowGroup<T, N> load_rows(const T* from, std::int64_t pitch, int count) {
  RowGroup<T, N> group{};
  for (int j = 0; j < kRowsInFlight; ++j)
    if (j < count) group.rows[j] = load_pack<N>(from + j * kRowLanes * pitch);
  return group;
}

/// One number of each of N channels. Not a pack: what is kept per channel is only aligned to its elements.
template <int N>
__device__ Floats<N> load_channels(const float* from) {
  Floats<N> values;
  for (int i = 0; i < N; ++i) values[i] = from[i];
  return values;
}

template <int N>
__device__ void store_channels(const Floats<N>& values, float* to) {
  for (int i = 0; i < N; ++i) to[i] = values[i];
}

/// Combines the values of the lanes of a column as a tree: lane l takes that of lane l + 16, then l + 8, …,
/// l + 1. The result is lane 0's. Called by all threads of the block.
template <class T, class Combine>
__device__ T reduce_lanes_of_column(T value, const Combine& combine) {
  __shared__ T upper[kRowLanes / 2][kColumnPacks];
  const int lane = static_cast<int>(threadIdx.y), pack = static_cast<int>(threadIdx.x);
  for (int half = kRowLanes / 2; half > 0; half /= 2) {
    if (lane >= half && lane < 2 * half) upper[lane - half][pack] = value;
    __syncthreads();
    if (lane < half) value = combine(value, upper[lane][pack]);
    __syncthreads();  // before the next round, or the next call, overwrites what is read here
  }
  return value;
}

/// Blocks that a multiprocessor should hold of a kernel that does nothing but put chunks together: there are
/// few of them, which may have the registers.
inline constexpr int kFinishBlocksPerProcessor = 2;

/// A launch of a kernel that puts chunks together: kColumnPacks channels in x, kRowLanes chunks in y.
inline LaunchShape finish_shape(const RowChunks& chunks, int runs, Stream stream) {
  return {.grid = {grid_extent(ceil_divide(chunks.channels, kColumnPacks)), static_cast<unsigned>(runs)},
          .block = {kColumnPacks, kRowLanes},
          .stream = stream};
}

/// The channel of a thread in such a kernel.
struct FinishShare {
  std::int64_t channel;
  bool is_inside;
};

__device__ inline FinishShare finish_share_of_thread(const RowChunks& chunks) {
  const std::int64_t channel = std::int64_t{blockIdx.x} * kColumnPacks + threadIdx.x;
  return {channel, channel < chunks.channels};
}

/// Σ term(chunk) over the chunks of a channel, in double: each lane its own in their order, then the lanes as
/// a tree. The result is lane 0's. Called by all threads of the block.
template <class Term>
__device__ double sum_over_chunks(const FinishShare& share, const RowChunks& chunks, const Term& term) {
  double sum = 0;
  if (share.is_inside)
    for (int chunk = static_cast<int>(threadIdx.y); chunk < chunks.count; chunk += kRowLanes)
      sum += term(chunk);
  return reduce_lanes_of_column(sum, [](double a, double b) { return a + b; });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
