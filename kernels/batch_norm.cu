/// Batch normalisation, training and evaluation, fused with the ReLU behind it and the addend before that.
/// Training in two kernels: chunks of rows to partial statistics (or sums of gradients) in a workspace, which
/// the last blocks put together in double (kernels/tile_tree.cuh); and one pass that applies what comes
/// of them. Elements are read twice and written once forward (once, in the last kernel
/// alone, where the statistics are given), read four times and written once backward, in packs of 16 bytes
/// where all is aligned. v1 per channel fixed-order tree over chunks of rows (kernels/columns.cuh). An addend
/// is read once forward; in the backward pass of its ReLU the sums' kernel reads y, too, and writes the
/// masked gradient, which is all that the last kernel reads in place of y_grad.
///
/// Accuracy of the statistics, u = 2⁻²⁴. A lane takes the mean and the squared deviations of up to four rows
/// at a time and merges them with what it has (Chan, Golub, LeVeque 1983); lanes merge as a tree, chunks in
/// double. A mean has passed through k = rows per lane/4 + 5 merges, each with a rounding of at most
/// u·max|x|: the mean is wrong by at most (k + 4)·u·max|x|, and the variance by (k + 8)·u·(1 + max|x|/σ) of
/// itself. E[x²] − E[x]² would have the *square* of max|x|/σ there.
#include "kernels/batch_norm.h"

#include "kernels/batch_norm.cuh"
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
    batch_norm_statistics_v1(BatchNormForwardArgs<T> args, RowChunks chunks, TileTree tree) {
  const std::int64_t run = blockIdx.y;
  const T* const __restrict__ x = args.x + run * args.x_run_stride;
  store_moments_of_chunk<N>(x, args.x_pitch, chunks, tree);
  finish_chunks<N, MomentsOfTiles>(tree, chunks, [&](int channel, ColumnPair moments) {
    const double rows = static_cast<double>(chunks.rows), mean = moments.first, squares = moments.second;
    args.mean[run * args.mean_run_stride + channel] = static_cast<float>(mean);
    args.invstd[run * args.invstd_run_stride + channel] =
        static_cast<float>(1 / sqrt(squares / rows + double{args.epsilon}));
    float& running_mean = args.running_mean[run * args.running_mean_run_stride + channel];
    float& running_variance = args.running_variance[run * args.running_variance_run_stride + channel];
    const double momentum = args.momentum, unbiased = rows > 1 ? squares / (rows - 1) : squares;
    running_mean = static_cast<float>((1 - momentum) * double{running_mean} + momentum * mean);
    running_variance = static_cast<float>((1 - momentum) * double{running_variance} + momentum * unbiased);
  });
}

/// By the running statistics.
template <int N, class Args>
__device__ Affine<N> running_affine(const Args& args, std::int64_t run, int channel) {
  Floats<N> invstd =
      load_channels<N>(args.running_variance + run * args.running_variance_run_stride + channel);
  for (int i = 0; i < N; ++i) invstd[i] = 1.0f / sqrtf(invstd[i] + args.epsilon);
  return affine_of(args.running_mean + run * args.running_mean_run_stride + channel, invstd,
                   args.scale + run * args.scale_run_stride + channel,
                   args.shift + run * args.shift_run_stride + channel);
}

/// Of batch_norm_forward, once the statistics are there, and of batch_norm_apply: one code, so that both give
/// the same bits.
template <Addend addend, int N, class Args>
__global__ void __launch_bounds__(kColumnThreads) batch_norm_apply_v1(Args args, RowChunks chunks) {
  const ColumnShare share = share_of_thread<N>(chunks);
  if (!share.is_inside) return;
  if constexpr (requires { args.variance; })
    if (args.variance != nullptr) update_running_statistics<N>(args, share);
  apply<addend>(args, share, chunks.channels, affine_of_batch<N>(args, blockIdx.y, share.channel));
}

template <Addend addend, int N, class T>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_inference_v1(BatchNormInferenceArgs<T> args, RowChunks chunks) {
  const ColumnShare share = share_of_thread<N>(chunks);
  if (!share.is_inside) return;
  apply<addend>(args, share, chunks.channels, running_affine<N>(args, blockIdx.y, share.channel));
}

/// What the elementwise kernels of both backward passes need of one thread's channels and elements.
template <int N, class T>
struct BackwardShare {
  ColumnShare share;
  std::int64_t x_pitch;
  int channels;
  Activation activation;
  Affine<N> affine;
  const T* x;
  const T* y_grad;

  template <class Args>
  __device__ BackwardShare(const Args& args, const RowChunks& chunks)
      : share(share_of_thread<N>(chunks)),
        x_pitch(args.x_pitch),
        channels(chunks.channels),
        activation(args.activation) {
    if (!share.is_inside) return;
    const std::int64_t run = blockIdx.y;
    if constexpr (requires { args.invstd; }) {
      affine = affine_of_batch<N>(args, run, share.channel);
    } else {
      affine = running_affine<N>(args, run, share.channel);
    }
    x = args.x + run * args.x_run_stride + share.channel;
    y_grad = args.y_grad + run * args.y_grad_run_stride + share.channel;
  }

  /// Calls `visit(row, deviation, gradient)` for the packs of the share in the order of their rows: x − mean,
  /// and y_grad masked by the activation, of the share's N channels.
  template <class Visit>
  __device__ void for_each_pack(const Visit& visit) const {
    if (!share.is_inside) return;
    for_each_row_group(share, [&](std::int64_t row, int count) {
      const RowGroup values = load_rows<N>(x + row * x_pitch, x_pitch, count);
      const RowGroup gradients = load_rows<N>(y_grad + row * channels, channels, count);
      for (int j = 0; j < kRowsInFlight; ++j) {
        if (j >= count) break;
        Floats<N> deviation, gradient;
        for (int i = 0; i < N; ++i) {
          const float value = to_float(values.rows[j][i]);
          const bool is_off = activation == Activation::kRelu && !(affine(i, value) > 0.0f);
          deviation[i] = value - affine.mean[i];
          gradient[i] = is_off ? 0.0f : to_float(gradients.rows[j][i]);
        }
        visit(row + std::int64_t{j} * kRowLanes, deviation, gradient);
      }
    });
  }
};

/// Per chunk: Σ g and Σ g·(x − mean); of all chunks, the gradients and the coefficients of x_grad.
template <int N, class T>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_gradient_sums_v1(BatchNormBackwardArgs<T> args, RowChunks chunks, TileTree tree) {
  const BackwardShare<N, T> in(args, chunks);
  GradientSums<N> sums{};
  in.for_each_pack([&](std::int64_t, const Floats<N>& deviation, const Floats<N>& gradient) {
    for (int i = 0; i < N; ++i) sums.add(i, gradient[i], deviation[i]);
  });
  finish_gradient_chunks(args, sums, in.share, chunks, tree);
}

/// The same where an addend was added before a ReLU: masked by y, and g, the addend's gradient, is stored.
template <int N, class T>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_addend_gradient_sums_v1(BatchNormBackwardArgs<T> args, RowChunks chunks, TileTree tree) {
  const ColumnShare share = share_of_thread<N>(chunks);
  GradientSums<N> sums{};
  if (share.is_inside) {
    const std::int64_t run = blockIdx.y;
    const Floats<N> mean = load_channels<N>(args.mean + run * args.mean_run_stride + share.channel);
    const T* const x = args.x + run * args.x_run_stride + share.channel;
    const T* const y = args.y + run * args.y_run_stride + share.channel;
    const T* const y_grad = args.y_grad + run * args.y_grad_run_stride + share.channel;
    T* const addend_grad = args.addend_grad + run * args.addend_grad_run_stride + share.channel;
    for_each_row_group(share, [&](std::int64_t row, int count) {
      const RowGroup values = load_rows<N>(x + row * args.x_pitch, args.x_pitch, count);
      const RowGroup outputs = load_rows<N>(y + row * chunks.channels, chunks.channels, count);
      RowGroup gradients = load_rows<N>(y_grad + row * chunks.channels, chunks.channels, count);
      for (int j = 0; j < kRowsInFlight; ++j) {
        if (j >= count) break;
        for (int i = 0; i < N; ++i) {
          if (!(to_float(outputs.rows[j][i]) > 0.0f)) gradients.rows[j][i] = from_float<T>(0.0f);
          sums.add(i, to_float(gradients.rows[j][i]), to_float(values.rows[j][i]) - mean[i]);
        }
        store_pack(gradients.rows[j], addend_grad + (row + std::int64_t{j} * kRowLanes) * chunks.channels);
      }
    });
  }
  finish_gradient_chunks(args, sums, share, chunks, tree);
}

template <GradientMode mode, int N, class T>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_backward_v1(BatchNormBackwardArgs<T> args, RowChunks chunks, const float* coefficients) {
  const BackwardShare<N, T> in(args, chunks);
  if (!in.share.is_inside) return;
  const std::int64_t run = blockIdx.y;
  coefficients += run * 2 * chunks.channels + in.share.channel;
  const Floats<N> mean_grad = load_channels<N>(coefficients);
  const Floats<N> tilt = load_channels<N>(coefficients + chunks.channels);
  T* const x_grad = args.x_grad + run * args.x_grad_run_stride + in.share.channel;
  in.for_each_pack([&](std::int64_t row, const Floats<N>& deviation, const Floats<N>& gradient) {
    T* const to = x_grad + row * args.x_grad_pitch;
    Floats<N> result;
    for (int i = 0; i < N; ++i)
      result[i] = input_gradient(in.affine.slope[i], gradient[i], mean_grad[i], deviation[i], tilt[i]);
    if constexpr (mode == GradientMode::kAccumulate) {
      const Floats<N> others = load_floats<N>(to);
      for (int i = 0; i < N; ++i) result[i] += others[i];
    }
    store_floats(result, to);
  });
}

template <GradientMode mode, int N, class T>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_inference_backward_v1(BatchNormInferenceBackwardArgs<T> args, RowChunks chunks) {
  const BackwardShare<N, T> in(args, chunks);
  if (!in.share.is_inside) return;
  T* const x_grad = args.x_grad + std::int64_t{blockIdx.y} * args.x_grad_run_stride + in.share.channel;
  in.for_each_pack([&](std::int64_t row, const Floats<N>&, const Floats<N>& gradient) {
    T* const to = x_grad + row * args.x_grad_pitch;
    Floats<N> result;
    for (int i = 0; i < N; ++i) result[i] = in.affine.slope[i] * gradient[i];
    if constexpr (mode == GradientMode::kAccumulate) {
      const Floats<N> others = load_floats<N>(to);
      for (int i = 0; i < N; ++i) result[i] += others[i];
    }
    store_floats(result, to);
  });
}

template <int N, class T>
void statistics(const BatchNormForwardArgs<T>& args, Stream stream) {
  const RowChunks chunks = chunks_of(args.extents);
  launch(columns_shape<N>(chunks, args.extents.runs, stream), batch_norm_statistics_v1<N, T>, args, chunks,
         tree_of(chunks, args.extents.runs, args.workspace, args.tickets));
}

template <int N, class T>
void forward(const BatchNormForwardArgs<T>& args, Stream stream) {
  if (args.variance == nullptr) statistics<N>(args, stream);
  const RowChunks chunks = chunks_of(args.extents);
  const auto kernel = args.addend != nullptr ? batch_norm_apply_v1<Addend::kGiven, N, BatchNormForwardArgs<T>>
                                             : batch_norm_apply_v1<Addend::kNone, N, BatchNormForwardArgs<T>>;
  launch(columns_shape<N>(chunks, args.extents.runs, stream), kernel, args, chunks);
}

template <int N, class T>
void apply(const BatchNormApplyArgs<T>& args, Stream stream) {
  const RowChunks chunks = chunks_of(args.extents);
  launch(columns_shape<N>(chunks, args.extents.runs, stream),
         batch_norm_apply_v1<Addend::kNone, N, BatchNormApplyArgs<T>>, args, chunks);
}

template <int N, class T>
void inference(const BatchNormInferenceArgs<T>& args, Stream stream) {
  const RowChunks chunks = chunks_of(args.extents);
  const auto kernel = args.addend != nullptr ? batch_norm_inference_v1<Addend::kGiven, N, T>
                                             : batch_norm_inference_v1<Addend::kNone, N, T>;
  launch(columns_shape<N>(chunks, args.extents.runs, stream), kernel, args, chunks);
}

/// The last kernel. Given addend_grad, that is g.
template <int N, class T>
void finish_backward(BatchNormBackwardArgs<T> args, const float* coefficients, Stream stream) {
  if (args.addend_grad != nullptr) {
    args.y_grad = args.addend_grad;  // already masked
    args.y_grad_run_stride = args.addend_grad_run_stride;
    args.activation = Activation::kNone;
  }
  const RowChunks chunks = chunks_of(args.extents);
  const auto kernel = args.x_grad_mode == GradientMode::kAccumulate
                          ? batch_norm_backward_v1<GradientMode::kAccumulate, N, T>
                          : batch_norm_backward_v1<GradientMode::kOverwrite, N, T>;
  launch(columns_shape<N>(chunks, args.extents.runs, stream), kernel, args, chunks, coefficients);
}

template <int N, class T>
void backward(const BatchNormBackwardArgs<T>& args, Stream stream) {
  const RowChunks chunks = chunks_of(args.extents);
  const auto kernel = args.addend_grad != nullptr ? batch_norm_addend_gradient_sums_v1<N, T>
                                                  : batch_norm_gradient_sums_v1<N, T>;
  const TileTree tree = tree_of(chunks, args.extents.runs, args.workspace, args.tickets);
  launch(columns_shape<N>(chunks, args.extents.runs, stream), kernel, args, chunks, tree);
  finish_backward<N>(args, end_of(tree, args.extents.runs), stream);
}

template <int N, class T>
void inference_backward(const BatchNormInferenceBackwardArgs<T>& args, Stream stream) {
  const RowChunks chunks = chunks_of(args.extents);
  const LaunchShape shape = columns_shape<N>(chunks, args.extents.runs, stream);
  if (args.x_grad_mode == GradientMode::kAccumulate)
    launch(shape, batch_norm_inference_backward_v1<GradientMode::kAccumulate, N, T>, args, chunks);
  else
    launch(shape, batch_norm_inference_backward_v1<GradientMode::kOverwrite, N, T>, args, chunks);
}

}  // namespace

std::size_t batch_norm_workspace(const BatchNormExtents& extents) {
  return workspace_of(chunks_of(extents), extents.runs);
}

int batch_norm_tickets(const BatchNormExtents& extents) {
  return tile_tree_tickets(most_chunks(extents.channels), extents.channels, kColumnPacks, extents.runs);
}

template <class T>
void batch_norm_statistics(const BatchNormForwardArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  const bool is_packed = holds_packs<kPack>(args.x, {args.x_run_stride, args.x_pitch, args.extents.channels});
  is_packed ? statistics<kPack>(args, stream) : statistics<1>(args, stream);
}

template <class T>
void batch_norm_forward(const BatchNormForwardArgs<T>& args, Stream stream) {
  with_widest_packs<T>(
      [&](auto size) {
        return holds_packs<size()>(args.x, {args.x_run_stride, args.x_pitch, args.extents.channels}) &&
               holds_packs<size()>(args.y, {args.y_run_stride}) &&
               holds_packs<size()>(args.addend, {args.addend_run_stride});
      },
      [&](auto size) { forward<size()>(args, stream); });
}

template <class T>
void batch_norm_apply(const BatchNormApplyArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  const bool is_packed =
      holds_packs<kPack>(args.x, {args.x_run_stride, args.x_pitch, args.extents.channels}) &&
      holds_packs<kPack>(args.y, {args.y_run_stride});
  is_packed ? apply<kPack>(args, stream) : apply<1>(args, stream);
}

template <class T>
void batch_norm_inference(const BatchNormInferenceArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  const bool is_packed =
      holds_packs<kPack>(args.x, {args.x_run_stride, args.x_pitch, args.extents.channels}) &&
      holds_packs<kPack>(args.y, {args.y_run_stride}) &&
      holds_packs<kPack>(args.addend, {args.addend_run_stride});
  is_packed ? inference<kPack>(args, stream) : inference<1>(args, stream);
}

/// Whether x, y_grad and x_grad can be read and written in packs.
template <class T, class Args>
bool is_backward_packed(const Args& args) {
  constexpr int kPack = kPackSize<T>;
  return holds_packs<kPack>(args.x, {args.x_run_stride, args.x_pitch, args.extents.channels}) &&
         holds_packs<kPack>(args.y_grad, {args.y_grad_run_stride}) &&
         holds_packs<kPack>(args.x_grad, {args.x_grad_run_stride, args.x_grad_pitch});
}

template <class T>
void batch_norm_backward(const BatchNormBackwardArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  const bool is_packed = is_backward_packed<T>(args) && holds_packs<kPack>(args.y, {args.y_run_stride}) &&
                         holds_packs<kPack>(args.addend_grad, {args.addend_grad_run_stride});
  is_packed ? backward<kPack>(args, stream) : backward<1>(args, stream);
}

template <class T>
void batch_norm_finish_backward(const BatchNormBackwardArgs<T>& args, const float* coefficients,
                                Stream stream) {
  constexpr int kPack = kPackSize<T>;
  const bool is_packed =
      is_backward_packed<T>(args) && holds_packs<kPack>(args.addend_grad, {args.addend_grad_run_stride});
  is_packed ? finish_backward<kPack>(args, coefficients, stream)
            : finish_backward<1>(args, coefficients, stream);
}

template <class T>
void batch_norm_inference_backward(const BatchNormInferenceBackwardArgs<T>& args, Stream stream) {
  is_backward_packed<T>(args) ? inference_backward<kPackSize<T>>(args, stream)
                              : inference_backward<1>(args, stream);
}

template void batch_norm_statistics(const BatchNormForwardArgs<float>&, Stream);
template void batch_norm_statistics(const BatchNormForwardArgs<Bf16>&, Stream);
template void batch_norm_finish_backward(const BatchNormBackwardArgs<float>&, const float*, Stream);
template void batch_norm_finish_backward(const BatchNormBackwardArgs<Bf16>&, const float*, Stream);
template void batch_norm_forward(const BatchNormForwardArgs<float>&, Stream);
template void batch_norm_forward(const BatchNormForwardArgs<Bf16>&, Stream);
template void batch_norm_apply(const BatchNormApplyArgs<float>&, Stream);
template void batch_norm_apply(const BatchNormApplyArgs<Bf16>&, Stream);
template void batch_norm_inference(const BatchNormInferenceArgs<float>&, Stream);
template void batch_norm_inference(const BatchNormInferenceArgs<Bf16>&, Stream);
template void batch_norm_backward(const BatchNormBackwardArgs<float>&, Stream);
template void batch_norm_backward(const BatchNormBackwardArgs<Bf16>&, Stream);
template void batch_norm_inference_backward(const BatchNormInferenceBackwardArgs<float>&, Stream);
template void batch_norm_inference_backward(const BatchNormInferenceBackwardArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
