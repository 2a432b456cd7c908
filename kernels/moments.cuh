#pragma once
/// Mean and squared deviations of the columns of a matrix (kernels/columns.cuh), without cancellation. What
/// rounding makes of them is derived in batch_norm.cu.

#include <cstdint>

#include "kernels/columns.cuh"
#include "kernels/pack.cuh"
#include "kernels/simt.h"
#include "kernels/tile_tree.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Mean, and sum of squared deviations from it, of `count` rows.
template <int N>
struct Moments {
  float count;
  Floats<N> mean;
  Floats<N> squares;
};

template <int N>
__device__ Moments<N> merged(const Moments<N>& a, const Moments<N>& b) {
  const float count = a.count + b.count;
  const float share = count > 0.0f ? b.count / count : 0.0f;
  Moments<N> both{.count = count, .mean = {}, .squares = {}};
  for (int i = 0; i < N; ++i) {
    const float delta = b.mean[i] - a.mean[i];
    both.mean[i] = fmaf(delta, share, a.mean[i]);
    both.squares[i] = fmaf(delta * delta, a.count * share, a.squares[i] + b.squares[i]);
  }
  return both;
}

template <class T, int N>
__device__ Moments<N> moments_of(const RowGroup<T, N>& group, int count) {
  const float size = static_cast<float>(count), weight = 1.0f / size;
  Moments<N> moments{.count = size, .mean = {}, .squares = {}};
  for (int j = 0; j < kRowsInFlight; ++j)
    if (j < count)
      for (int i = 0; i < N; ++i) moments.mean[i] += to_float(group.rows[j][i]);
  // A product that no compiler may fuse with the subtractions behind it.
  for (int i = 0; i < N; ++i) moments.mean[i] = fmaf(moments.mean[i], weight, 0.0f);
  for (int j = 0; j < kRowsInFlight; ++j)
    if (j < count)
      for (int i = 0; i < N; ++i) {
        const float deviation = to_float(group.rows[j][i]) - moments.mean[i];
        moments.squares[i] = fmaf(deviation, deviation, moments.squares[i]);
      }
  return moments;
}

/// Leaves the mean of the block's chunk of x, and the sum of squared deviations from it, in the tree.
/// Called by all threads of the block.
template <int N, class T>
__device__ void store_moments_of_chunk(const T* x, std::int64_t x_pitch, const RowChunks& chunks,
                                       const TileTree& tree) {
  const ColumnShare share = share_of_thread<N>(chunks);
  Moments<N> moments{};
  if (share.is_inside)
    for_each_row_group(share, [&](std::int64_t row, int count) {
      const RowGroup group = load_rows<N>(x + share.channel + row * x_pitch, x_pitch, count);
      moments = merged(moments, moments_of(group, count));
    });
  moments =
      reduce_lanes_of_column(moments, [](const Moments<N>& a, const Moments<N>& b) { return merged(a, b); });
  if (!share.is_inside || threadIdx.y != 0) return;
  float* const partial = tree.partial(blockIdx.y, share.chunk) + share.channel;
  store_channels(moments.mean, partial);
  store_channels(moments.squares, partial + chunks.channels);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
