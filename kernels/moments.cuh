#pragma once
/// Mean and squared deviations of the columns of a matrix (kernels/columns.cuh), without cancellation. What
/// rounding makes of them is derived in batch_norm.cu.

#include <cstdint>

#include "kernels/batch_norm.cuh"
#include "kernels/columns.cuh"
#include "kernels/pack.cuh"
#include "kernels/simt.h"

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

/// Leaves the mean of the block's chunk of x, and the sum of squared deviations from it, in the workspace.
/// Called by all threads of the block.
template <int N, class T>
__device__ void store_moments_of_chunk(const T* x, std::int64_t x_pitch, const RowChunks& chunks,
                                       float* workspace) {
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
  float* const partial = workspace + partials_of_chunk(chunks, blockIdx.y, share.chunk) + share.channel;
  store_channels(moments.mean, partial);
  store_channels(moments.squares, partial + chunks.channels);
}

/// Of all rows of N channels.
template <int N>
struct BatchMoments {
  Doubles<N> mean;
  Doubles<N> squares;  ///< Σ(x − mean)²
};

/// Puts the chunks' moments together: deviations within the chunks plus those of the chunks' means. No term
/// is the small difference of large ones. The result is lane 0's. Called by all threads of the block.
template <int N>
__device__ BatchMoments<N> moments_of_chunks(const FinishShare& share, const RowChunks& chunks,
                                             const float* workspace) {
  const std::int64_t run = blockIdx.y;
  const auto partials_of = [&](int chunk) {
    return workspace + partials_of_chunk(chunks, run, chunk) + share.channel;
  };
  const auto size_of = [&](int chunk) {
    const std::int64_t begin = chunk * chunks.rows_per_chunk, rest = chunks.rows - begin;
    return static_cast<double>(rest < chunks.rows_per_chunk ? rest : chunks.rows_per_chunk);
  };
  const auto mean_of = [&](int chunk, int i) { return double{partials_of(chunk)[i]}; };

  __shared__ Doubles<N> means[kColumnPacks];
  Doubles<N> mean = sums_over_chunks<N>(share, chunks,
                                        [&](int chunk, int i) { return size_of(chunk) * mean_of(chunk, i); });
  for (int i = 0; i < N; ++i) mean[i] = mean[i] / static_cast<double>(chunks.rows);
  if (threadIdx.y == 0) means[threadIdx.x] = mean;
  __syncthreads();
  mean = means[threadIdx.x];
  const Doubles<N> squares = sums_over_chunks<N>(share, chunks, [&](int chunk, int i) {
    const double delta = mean_of(chunk, i) - mean[i];
    return double{partials_of(chunk)[chunks.channels + i]} + size_of(chunk) * delta * delta;
  });
  return {mean, squares};
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
