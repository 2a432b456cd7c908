#pragma once
/// What the kernels of batch normalisation share, with and without a pooling behind it.

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/batch_norm.h"
#include "kernels/columns.cuh"
#include "kernels/pack.cuh"
#include "kernels/simt.h"
#include "kernels/tile_tree.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Where the blocks of chunks leave two numbers per channel, and what they take to put them together. What
/// the backward pass applies to all elements of a channel, [runs][2][channels], lies behind that (end_of).
inline TileTree tree_of(const RowChunks& chunks, int runs, float* workspace, int* tickets) {
  return tile_tree(chunks.count, chunks.channels, runs, workspace, tickets);
}

/// Bytes of all these.
inline std::size_t workspace_of(const RowChunks& chunks, int runs) {
  const std::size_t coefficients =
      sizeof(float) * 2 * static_cast<std::size_t>(runs) * static_cast<std::size_t>(chunks.channels);
  return tile_tree_workspace(chunks.count, chunks.channels, runs) + coefficients;
}

/// As finish_columns, of the blocks of chunks.
template <int N, class Merged, class Finish>
__device__ void finish_chunks(const TileTree& tree, const RowChunks& chunks, const Finish& finish) {
  const int strips = channel_groups<N>(chunks.channels), block = static_cast<int>(blockIdx.x);
  const auto rows_of_chunk = [&](int chunk) {
    const std::int64_t rest = chunks.rows - chunk * chunks.rows_per_chunk;
    return static_cast<double>(rest < chunks.rows_per_chunk ? rest : chunks.rows_per_chunk);
  };
  constexpr int kColumns = kColumnPacks * N;
  static_assert(kColumnThreads >= kColumns);
  finish_columns<kColumns, Merged>(tree, block / strips, block % strips * kColumns,
                                   static_cast<int>(threadIdx.y * kColumnPacks + threadIdx.x), rows_of_chunk,
                                   finish);
}

/// The affine map of N channels.
template <int N>
struct Affine {
  Floats<N> mean;
  Floats<N> slope;  ///< scale·invstd
  Floats<N> shift;

  /// The value before the activation. The backward pass masks with the very decision of the forward pass, so
  /// both compute it here, in operations that no compiler may contract in two ways.
  __device__ float operator()(int i, float x) const { return fmaf(x - mean[i], slope[i], shift[i]); }
};

template <int N>
__device__ Affine<N> affine_of(const float* mean, const Floats<N>& invstd, const float* scale,
                               const float* shift) {
  Affine<N> affine{.mean = load_channels<N>(mean), .slope = {}, .shift = load_channels<N>(shift)};
  for (int i = 0; i < N; ++i) affine.slope[i] = scale[i] * invstd[i];
  return affine;
}

/// By the batch's own statistics, from channel `channel` on.
template <int N, class Args>
__device__ Affine<N> affine_of_batch(const Args& args, std::int64_t run, int channel) {
  const Floats<N> invstd = load_channels<N>(args.invstd + run * args.invstd_run_stride + channel);
  return affine_of(args.mean + run * args.mean_run_stride + channel, invstd,
                   args.scale + run * args.scale_run_stride + channel,
                   args.shift + run * args.shift_run_stride + channel);
}

/// NaN stays NaN.
__device__ inline float activated(float value, Activation activation) {
  return activation == Activation::kRelu && value < 0.0f ? 0.0f : value;
}

/// What is added before the activation.
enum class Addend : std::uint8_t { kNone, kGiven };

/// y of one share of the matrix of run blockIdx.y, for any arguments of a forward pass.
template <Addend addend_kind = Addend::kNone, int N, class Args>
__device__ void apply(const Args& args, const ColumnShare& share, int channels, const Affine<N>& affine) {
  const std::int64_t run = blockIdx.y;
  const auto* const x = args.x + run * args.x_run_stride + share.channel;
  auto* const y = args.y + run * args.y_run_stride + share.channel;
  const Activation activation = args.activation;
  for_each_row_group(share, [&](std::int64_t row, int count) {
    const RowGroup group = load_rows<N>(x + row * args.x_pitch, args.x_pitch, count);
    auto addends = group;
    if constexpr (addend_kind == Addend::kGiven) {
      const auto* const addend = args.addend + run * args.addend_run_stride + share.channel;
      addends = load_rows<N>(addend + row * channels, channels, count);  // y may be the addend: all before y
    }
    for (int j = 0; j < kRowsInFlight; ++j) {
      if (j >= count) break;
      Floats<N> values = to_floats(group.rows[j]);
      for (int i = 0; i < N; ++i) {
        float value = affine(i, values[i]);
        if constexpr (addend_kind == Addend::kGiven) value += to_float(addends.rows[j][i]);
        values[i] = activated(value, activation);
      }
      store_floats(values, y + (row + std::int64_t{j} * kRowLanes) * channels);
    }
  });
}

/// Where the statistics of the batch are given: the first chunk's blocks, one lane of each, move the running
/// ones of their channels.
template <int N, class Args>
__device__ void update_running_statistics(const Args& args, const ColumnShare& share) {
  if (share.chunk != 0 || threadIdx.y != 0) return;
  const std::int64_t run = blockIdx.y;
  const double momentum = args.momentum, rows = static_cast<double>(args.extents.rows);
  for (int channel = share.channel; channel < share.channel + N; ++channel) {
    const double mean = args.mean[run * args.mean_run_stride + channel];
    const double variance = args.variance[run * args.variance_run_stride + channel];
    const double unbiased = rows > 1 ? variance * (rows / (rows - 1)) : variance;
    float& running_mean = args.running_mean[run * args.running_mean_run_stride + channel];
    float& running_variance = args.running_variance[run * args.running_variance_run_stride + channel];
    running_mean = static_cast<float>((1 - momentum) * double{running_mean} + momentum * mean);
    running_variance = static_cast<float>((1 - momentum) * double{running_variance} + momentum * unbiased);
  }
}

/// x_grad of one element; `mean_grad` and `tilt` are its channel's coefficients.
__device__ inline float input_gradient(float slope, float gradient, float mean_grad, float deviation,
                                       float tilt) {
  return slope * fmaf(-deviation, tilt, gradient - mean_grad);
}

/// Σ g and Σ g·(x − mean).
template <int N>
struct GradientSums {
  Floats<N> shift;
  Floats<N> scale;

  __device__ void add(int i, float gradient, float deviation) {
    shift[i] += gradient;
    scale[i] = fmaf(gradient, deviation, scale[i]);
  }
};

/// Adds up the sums of the lanes, and leaves those of the block's chunk in the tree. Called by all threads of
/// the block.
template <int N>
__device__ void store_sums_of_chunk(GradientSums<N> sums, const ColumnShare& share, const TileTree& tree) {
  sums = reduce_lanes_of_column(sums, [](GradientSums<N> a, const GradientSums<N>& b) {
    for (int i = 0; i < N; ++i) {
      a.shift[i] += b.shift[i];
      a.scale[i] += b.scale[i];
    }
    return a;
  });
  if (!share.is_inside || threadIdx.y != 0) return;
  float* const partial = tree.partial(blockIdx.y, share.chunk) + share.channel;
  store_channels(sums.shift, partial);
  store_channels(sums.scale, partial + tree.columns);
}

/// Both gradients of a channel of run blockIdx.y from Σg and Σg·(x − mean), and the coefficients of x_grad =
/// slope·(g − mean_grad − (x − mean)·tilt): mean_grad = Σg/m and tilt = invstd·scale_grad/m, in
/// `coefficients`, [runs][2][channels].
template <class T>
__device__ void store_gradients(const BatchNormBackwardArgs<T>& args, float* coefficients, int channel,
                                ColumnPair sums) {
  const std::int64_t run = blockIdx.y;
  const double invstd = args.invstd[run * args.invstd_run_stride + channel];
  const double scale_grad = sums.second * invstd, rows = static_cast<double>(args.extents.rows);
  args.shift_grad[run * args.shift_grad_run_stride + channel] = static_cast<float>(sums.first);
  args.scale_grad[run * args.scale_grad_run_stride + channel] = static_cast<float>(scale_grad);
  float* const to = coefficients + run * 2 * args.extents.channels + channel;
  to[0] = static_cast<float>(sums.first / rows);
  to[args.extents.channels] = static_cast<float>(scale_grad * invstd / rows);
}

/// The end of the first kernel of a backward pass over chunks: their sums, and what follows of them. Called
/// by all threads of the block.
template <int N, class T>
__device__ void finish_gradient_chunks(const BatchNormBackwardArgs<T>& args, const GradientSums<N>& sums,
                                       const ColumnShare& share, const RowChunks& chunks,
                                       const TileTree& tree) {
  store_sums_of_chunk(sums, share, tree);
  finish_chunks<N, SumOfTiles>(tree, chunks, [&](int channel, ColumnPair totals) {
    store_gradients(args, end_of(tree, args.extents.runs), channel, totals);
  });
}

/// Calls `launch_with(size)`, `size` being std::integral_constant, with the widest packs that the images
/// hold: of 16 bytes, of 8, or single elements. A layer of growth 12 adds slices that begin at multiples of
/// 12 channels, which are no packs of eight.
template <class T, class Holds, class Launch>
void with_widest_packs(const Holds& holds, const Launch& launch_with) {
  constexpr int kWide = kPackSize<T>, kNarrow = 4;
  if (holds(std::integral_constant<int, kWide>{})) return launch_with(std::integral_constant<int, kWide>{});
  if constexpr (kNarrow < kWide)
    if (holds(std::integral_constant<int, kNarrow>{}))
      return launch_with(std::integral_constant<int, kNarrow>{});
  launch_with(std::integral_constant<int, 1>{});
}

/// The first kernel of batch_norm_forward: mean, invstd and the running statistics. y is left alone.
template <class T>
void batch_norm_statistics(const BatchNormForwardArgs<T>& args, Stream stream);

/// The last kernel of batch_norm_backward with an addend_grad, which is g: x_grad, by the coefficients that
/// store_gradients left.
template <class T>
void batch_norm_finish_backward(const BatchNormBackwardArgs<T>& args, const float* coefficients,
                                Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
