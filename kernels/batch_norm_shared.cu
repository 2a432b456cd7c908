/// Batch normalisation of channels that several layers normalise, as those of a dense block: every layer has
/// its scale and shift, the mean and variance of a channel are the same for all. Statistics read x once and
/// are made once a channel; a layer's forward pass is batch_norm_forward's; its backward pass reads x and
/// y_grad once and adds to x_grad, where batch_norm_backward goes over its images twice: of
///   x_grad = slope·(g − mean_grad − (x − mean)·tilt)
/// only slope·g is known before the sums are. The rest is the same affine map of x for all layers but for two
/// coefficients a channel: they add up until somebody needs the gradient, and one more pass subtracts them.
///
/// Each is one launch: what chunks of rows leave, the last blocks put together (kernels/tile_tree.cuh). v1
/// per channel fixed-order tree over chunks of rows (kernels/columns.cuh)
#include "kernels/batch_norm_shared.h"

#include "kernels/batch_norm.cuh"
#include "kernels/batch_norm_shared.cuh"
#include "kernels/columns.cuh"
#include "kernels/moments.cuh"
#include "kernels/pack.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

RowChunks chunks_of(const BatchNormExtents& extents) { return row_chunks(extents.rows, extents.channels); }

template <int N, class T>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_statistics_shared_v1(BatchNormStatisticsArgs<T> args, RowChunks chunks, TileTree tree) {
  const std::int64_t run = blockIdx.y;
  store_moments_of_chunk<N>(args.x + run * args.x_run_stride, args.x_pitch, chunks, tree);
  finish_chunks<N, MomentsOfTiles>(tree, chunks, [&](int channel, ColumnPair moments) {
    const double variance = moments.second / static_cast<double>(chunks.rows);
    args.mean[run * args.mean_run_stride + channel] = static_cast<float>(moments.first);
    args.variance[run * args.variance_run_stride + channel] = static_cast<float>(variance);
    args.invstd[run * args.invstd_run_stride + channel] =
        static_cast<float>(1 / sqrt(variance + double{args.epsilon}));
  });
}

template <int N, class T>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_shared_backward_v1(BatchNormSharedBackwardArgs<T> args, RowChunks chunks, TileTree tree) {
  const ColumnShare share = share_of_thread<N>(chunks);
  GradientSums<N> sums{};
  if (share.is_inside) {
    const std::int64_t run = blockIdx.y;
    const Affine<N> affine = affine_of_batch<N>(args, run, share.channel);
    const bool is_cut_off = args.activation == Activation::kRelu;
    const T* const x = args.x + run * args.x_run_stride + share.channel;
    const T* const y_grad = args.y_grad + run * args.y_grad_run_stride + share.channel;
    T* const x_grad = args.x_grad + run * args.x_grad_run_stride + share.channel;
    for_each_row_group(share, [&](std::int64_t row, int count) {
      const RowGroup values = load_rows<N>(x + row * args.x_pitch, args.x_pitch, count);
      const RowGroup gradients = load_rows<N>(y_grad + row * chunks.channels, chunks.channels, count);
      for (int j = 0; j < kRowsInFlight; ++j) {
        if (j >= count) break;
        T* const to = x_grad + (row + std::int64_t{j} * kRowLanes) * args.x_grad_pitch;
        // Loaded with the others, x_grad's rows would cost the multiprocessor its second block.
        Floats<N> result = load_floats<N>(to);
        for (int i = 0; i < N; ++i) {
          const float value = to_float(values.rows[j][i]);
          const float gradient =
              is_cut_off && !(affine(i, value) > 0.0f) ? 0.0f : to_float(gradients.rows[j][i]);
          sums.add(i, gradient, value - affine.mean[i]);
          result[i] = fmaf(affine.slope[i], gradient, result[i]);
        }
        store_floats(result, to);
      }
    });
  }
  store_sums_of_chunk(sums, share, tree);
  finish_chunks<N, SumOfTiles>(
      tree, chunks, [&](int channel, ColumnPair totals) { store_shared_gradients(args, channel, totals); });
}

template <int N, class T>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_shared_finish_v1(BatchNormSharedFinishArgs<T> args, RowChunks chunks) {
  const ColumnShare share = share_of_thread<N>(chunks);
  if (!share.is_inside) return;
  const std::int64_t run = blockIdx.y;
  const auto channels_of = [&](const float* from, std::int64_t run_stride) {
    return load_channels<N>(from + run * run_stride + share.channel);
  };
  const Floats<N> mean = channels_of(args.mean, args.mean_run_stride);
  const Floats<N> mean_term = channels_of(args.deferred_mean, args.deferred_mean_run_stride);
  const Floats<N> tilt_term = channels_of(args.deferred_tilt, args.deferred_tilt_run_stride);
  const T* const x = args.x + run * args.x_run_stride + share.channel;
  T* const x_grad = args.x_grad + run * args.x_grad_run_stride + share.channel;
  for_each_row_group(share, [&](std::int64_t row, int count) {
    const RowGroup values = load_rows<N>(x + row * args.x_pitch, args.x_pitch, count);
    const RowGroup gradients = load_rows<N>(x_grad + row * args.x_grad_pitch, args.x_grad_pitch, count);
    for (int j = 0; j < kRowsInFlight; ++j) {
      if (j >= count) break;
      Floats<N> result;
      for (int i = 0; i < N; ++i) {
        const float deviation = to_float(values.rows[j][i]) - mean[i];
        result[i] = to_float(gradients.rows[j][i]) - fmaf(deviation, tilt_term[i], mean_term[i]);
      }
      store_floats(result, x_grad + (row + std::int64_t{j} * kRowLanes) * args.x_grad_pitch);
    }
  });
}

}  // namespace

template <class T>
void batch_norm_statistics_shared(const BatchNormStatisticsArgs<T>& args, Stream stream) {
  const RowChunks chunks = chunks_of(args.extents);
  with_widest_packs<T>(
      [&](auto size) {
        return holds_packs<size()>(args.x, {args.x_run_stride, args.x_pitch, args.extents.channels});
      },
      [&](auto size) {
        launch(columns_shape<size()>(chunks, args.extents.runs, stream),
               batch_norm_statistics_shared_v1<size(), T>, args, chunks,
               tree_of(chunks, args.extents.runs, args.workspace, args.tickets));
      });
}

template <class T>
void batch_norm_shared_backward(const BatchNormSharedBackwardArgs<T>& args, Stream stream) {
  const RowChunks chunks = chunks_of(args.extents);
  with_widest_packs<T>(
      [&](auto size) {
        return holds_packs<size()>(args.x, {args.x_run_stride, args.x_pitch, args.extents.channels}) &&
               holds_packs<size()>(args.y_grad, {args.y_grad_run_stride}) &&
               holds_packs<size()>(args.x_grad, {args.x_grad_run_stride, args.x_grad_pitch});
      },
      [&](auto size) {
        launch(columns_shape<size()>(chunks, args.extents.runs, stream),
               batch_norm_shared_backward_v1<size(), T>, args, chunks,
               tree_of(chunks, args.extents.runs, args.workspace, args.tickets));
      });
}

template <class T>
void batch_norm_shared_finish(const BatchNormSharedFinishArgs<T>& args, Stream stream) {
  const RowChunks chunks = chunks_of(args.extents);
  with_widest_packs<T>(
      [&](auto size) {
        return holds_packs<size()>(args.x, {args.x_run_stride, args.x_pitch, args.extents.channels}) &&
               holds_packs<size()>(args.x_grad, {args.x_grad_run_stride, args.x_grad_pitch});
      },
      [&](auto size) {
        launch(columns_shape<size()>(chunks, args.extents.runs, stream),
               batch_norm_shared_finish_v1<size(), T>, args, chunks);
      });
}

template void batch_norm_statistics_shared(const BatchNormStatisticsArgs<float>&, Stream);
template void batch_norm_statistics_shared(const BatchNormStatisticsArgs<Bf16>&, Stream);
template void batch_norm_shared_backward(const BatchNormSharedBackwardArgs<float>&, Stream);
template void batch_norm_shared_backward(const BatchNormSharedBackwardArgs<Bf16>&, Stream);
template void batch_norm_shared_finish(const BatchNormSharedFinishArgs<float>&, Stream);
template void batch_norm_shared_finish(const BatchNormSharedFinishArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
