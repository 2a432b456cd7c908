/// Batch normalisation in training, the ReLU behind it and 2x2 maximum pooling, forward and backward.
/// Two kernels each way; that of the statistics is batch_norm.cu's. The
/// others walk over windows: four packs of x for one of y and of winners. x is read twice (once, by one
/// kernel, where its statistics are given) and y and winners are written forward; x, y_grad and winners are
/// read twice and x_grad is written backward. What lies between the normalisation and the pooling never
/// reaches memory. v1 per channel fixed-order tree over chunks of windows (kernels/columns.cuh)
#include "kernels/batch_norm_pool.h"

#include <limits>
#include <string>

#include "kernels/batch_norm.cuh"
#include "kernels/columns.cuh"
#include "kernels/pack.cuh"
#include "kernels/pooling.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kPlaces = 4;

/// Windows as rows of a matrix, in the order of their images whatever the layout. A lane loads the four
/// pixels of a window before it computes with the first, so that a chunk need not have more than one for it.
RowChunks chunks_of(const PoolWindows& windows, int channels) {
  const std::int64_t count = std::int64_t{windows.images} * windows.height * windows.width;
  if (count > std::numeric_limits<int>::max())
    throw LaunchError("pooling of " + std::to_string(count) + " windows; at most 2^31 - 1 are counted");
  return row_chunks(count, channels, kRowLanes);
}

/// Where a window's first pixel and its pixel of the pooled images lie, in elements.
struct WindowOffsets {
  std::int64_t first;
  std::int64_t pooled;
};

__device__ WindowOffsets offsets_of_window(const PoolWindows& windows, std::int64_t row) {
  const int window = static_cast<int>(row);
  const int line = window / windows.width, j = window % windows.width;
  const int n = line / windows.height, i = line % windows.height;
  return {offset_of(windows.strides, n, 2 * i, 2 * j), offset_of(windows.pooled, n, i, j)};
}

/// Of the pixel at `place` from the window's first.
__device__ std::int64_t offset_in_window(const PoolWindows& windows, int place) {
  return place / 2 * windows.strides.h + place % 2 * windows.strides.w;
}

/// The packs of a window's pixels, by place.
template <class T, int N>
struct WindowPixels {
  Pack<T, N> at[kPlaces];
};

template <int N, class T>
__device__ WindowPixels<T, N> load_window(const PoolWindows& windows, const T* first) {
  WindowPixels<T, N> pixels;
  for (int place = 0; place < kPlaces; ++place)
    pixels.at[place] = load_pack<N>(first + offset_in_window(windows, place));
  return pixels;
}

/// The gradient where the activation lets `value` through, as batch_norm_backward decides it, else 0.
__device__ float masked(float gradient, float value, Activation activation) {
  return activation == Activation::kRelu && !(value > 0.0f) ? 0.0f : gradient;
}

/// Calls `visit(row)` for the windows of a lane in their order.
template <class Visit>
__device__ void for_each_window(const ColumnShare& share, const Visit& visit) {
  for (std::int64_t row = share.first_row; row < share.end_row; row += kRowLanes) visit(row);
}

template <int N, class T>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_max_pool_v1(BatchNormMaxPoolForwardArgs<T> args, RowChunks chunks) {
  const ColumnShare share = share_of_thread<N>(chunks);
  if (!share.is_inside) return;
  const std::int64_t run = blockIdx.y;
  if (args.norm.variance != nullptr) update_running_statistics<N>(args.norm, share);
  const Affine<N> affine = affine_of_batch<N>(args.norm, run, share.channel);
  const T* const __restrict__ x = args.norm.x + run * args.norm.x_run_stride + share.channel;
  T* const __restrict__ y = args.norm.y + run * args.norm.y_run_stride + share.channel;
  std::uint8_t* const __restrict__ winner = args.winner + run * args.winner_run_stride + share.channel;
  for_each_window(share, [&](std::int64_t row) {
    const WindowOffsets at = offsets_of_window(args.windows, row);
    const WindowPixels<T, N> pixels = load_window<N>(args.windows, x + at.first);
    Largest<N> largest(0);
    for (int place = 0; place < kPlaces; ++place) {
      Floats<N> values;
      for (int i = 0; i < N; ++i) {
        const float value = activated(affine(i, to_float(pixels.at[place][i])), args.norm.activation);
        values[i] = to_float(from_float<T>(value));  // as it would be in memory
      }
      largest.take(values, place);
    }
    store_floats(largest.values, y + at.pooled);
    Pack<std::uint8_t, N> winners;
    for (int i = 0; i < N; ++i) winners[i] = static_cast<std::uint8_t>(largest.places[i]);
    store_pack(winners, winner + at.pooled);
  });
}

/// Per chunk of windows: Σ g and Σ g·(x − mean), of the winners alone, as g is 0 elsewhere; of all chunks,
/// the gradients and the coefficients of x_grad. Told no number of blocks, ptxas has packs of one spill to
/// fit a sixth; told five, it would have wider ones.
template <int N, class T>
__global__ void __launch_bounds__(kColumnThreads, N == 1 ? 5 : 3)
    batch_norm_max_pool_gradient_sums_v1(BatchNormMaxPoolBackwardArgs<T> args, RowChunks chunks,
                                         TileTree tree) {
  const ColumnShare share = share_of_thread<N>(chunks);
  const std::int64_t run = blockIdx.y;
  GradientSums<N> sums{};
  if (share.is_inside) {
    const Affine<N> affine = affine_of_batch<N>(args.norm, run, share.channel);
    const T* const x = args.norm.x + run * args.norm.x_run_stride + share.channel;
    const T* const y_grad = args.norm.y_grad + run * args.norm.y_grad_run_stride + share.channel;
    const std::uint8_t* const winner = args.winner + run * args.winner_run_stride + share.channel;
    for_each_window(share, [&](std::int64_t row) {
      const WindowOffsets at = offsets_of_window(args.windows, row);
      const WindowPixels<T, N> pixels = load_window<N>(args.windows, x + at.first);
      const Pack<T, N> gradients = load_pack<N>(y_grad + at.pooled);
      const Pack<std::uint8_t, N> winners = load_pack<N>(winner + at.pooled);
      for (int i = 0; i < N; ++i) {
        float value = to_float(pixels.at[0][i]);
        for (int place = 1; place < kPlaces; ++place)
          if (winners[i] == place) value = to_float(pixels.at[place][i]);
        const float gradient = masked(to_float(gradients[i]), affine(i, value), args.norm.activation);
        sums.add(i, gradient, value - affine.mean[i]);
      }
    });
  }
  finish_gradient_chunks(args.norm, sums, share, chunks, tree);
}

template <int N, class T>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_max_pool_backward_v1(BatchNormMaxPoolBackwardArgs<T> args, RowChunks chunks,
                                    const float* coefficients) {
  const ColumnShare share = share_of_thread<N>(chunks);
  if (!share.is_inside) return;
  const std::int64_t run = blockIdx.y;
  const Affine<N> affine = affine_of_batch<N>(args.norm, run, share.channel);
  coefficients += run * 2 * chunks.channels + share.channel;
  const Floats<N> mean_grad = load_channels<N>(coefficients);
  const Floats<N> tilt = load_channels<N>(coefficients + chunks.channels);
  const T* const __restrict__ x = args.norm.x + run * args.norm.x_run_stride + share.channel;
  const T* const __restrict__ y_grad = args.norm.y_grad + run * args.norm.y_grad_run_stride + share.channel;
  const std::uint8_t* const __restrict__ winner = args.winner + run * args.winner_run_stride + share.channel;
  T* const __restrict__ x_grad = args.norm.x_grad + run * args.norm.x_grad_run_stride + share.channel;
  for_each_window(share, [&](std::int64_t row) {
    const WindowOffsets at = offsets_of_window(args.windows, row);
    const WindowPixels<T, N> pixels = load_window<N>(args.windows, x + at.first);
    const Pack<T, N> gradients = load_pack<N>(y_grad + at.pooled);
    const Pack<std::uint8_t, N> winners = load_pack<N>(winner + at.pooled);
    for (int place = 0; place < kPlaces; ++place) {
      Floats<N> result;
      for (int i = 0; i < N; ++i) {
        const float value = to_float(pixels.at[place][i]);
        const float gradient = winners[i] == place ? to_float(gradients[i]) : 0.0f;
        result[i] = input_gradient(affine.slope[i], masked(gradient, affine(i, value), args.norm.activation),
                                   mean_grad[i], value - affine.mean[i], tilt[i]);
      }
      store_floats(result, x_grad + at.first + offset_in_window(args.windows, place));
    }
  });
}

template <int N, class T>
void pool_forward(const BatchNormMaxPoolForwardArgs<T>& args, Stream stream) {
  const RowChunks chunks = chunks_of(args.windows, args.norm.extents.channels);
  launch(columns_shape<N>(chunks, args.norm.extents.runs, stream), batch_norm_max_pool_v1<N, T>, args,
         chunks);
}

template <int N, class T>
void backward(const BatchNormMaxPoolBackwardArgs<T>& args, Stream stream) {
  const RowChunks chunks = chunks_of(args.windows, args.norm.extents.channels);
  const LaunchShape shape = columns_shape<N>(chunks, args.norm.extents.runs, stream);
  const int runs = args.norm.extents.runs;
  const TileTree tree = tree_of(chunks, runs, args.norm.workspace, args.norm.tickets);
  launch(shape, batch_norm_max_pool_gradient_sums_v1<N, T>, args, chunks, tree);
  launch(shape, batch_norm_max_pool_backward_v1<N, T>, args, chunks,
         static_cast<const float*>(end_of(tree, runs)));
}

}  // namespace

template <class T>
void batch_norm_max_pool_forward(const BatchNormMaxPoolForwardArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  const PoolWindows& windows = args.windows;
  const bool is_packed = args.norm.extents.channels % kPack == 0 &&
                         images_hold_packs<kPack>(args.norm.x, windows.strides, args.norm.x_run_stride) &&
                         images_hold_packs<kPack>(args.norm.y, windows.pooled, args.norm.y_run_stride) &&
                         images_hold_packs<kPack>(args.winner, windows.pooled, args.winner_run_stride);
  if (args.norm.variance == nullptr) batch_norm_statistics(args.norm, stream);
  is_packed ? pool_forward<kPack>(args, stream) : pool_forward<1>(args, stream);
}

std::size_t batch_norm_max_pool_backward_workspace(const PoolWindows& windows, int channels, int runs) {
  return workspace_of(chunks_of(windows, channels), runs);
}

template <class T>
void batch_norm_max_pool_backward(const BatchNormMaxPoolBackwardArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  const PoolWindows& windows = args.windows;
  const bool is_packed =
      args.norm.extents.channels % kPack == 0 &&
      images_hold_packs<kPack>(args.norm.x, windows.strides, args.norm.x_run_stride) &&
      images_hold_packs<kPack>(args.norm.x_grad, windows.strides, args.norm.x_grad_run_stride) &&
      images_hold_packs<kPack>(args.norm.y_grad, windows.pooled, args.norm.y_grad_run_stride) &&
      images_hold_packs<kPack>(args.winner, windows.pooled, args.winner_run_stride);
  is_packed ? backward<kPack>(args, stream) : backward<1>(args, stream);
}

template void batch_norm_max_pool_forward(const BatchNormMaxPoolForwardArgs<float>&, Stream);
template void batch_norm_max_pool_forward(const BatchNormMaxPoolForwardArgs<Bf16>&, Stream);
template void batch_norm_max_pool_backward(const BatchNormMaxPoolBackwardArgs<float>&, Stream);
template void batch_norm_max_pool_backward(const BatchNormMaxPoolBackwardArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
