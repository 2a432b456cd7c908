/// ReLU, sums and biases.
/// All bound by memory: every element is read once and written once, in packs of 16 bytes where all is
/// aligned. The gradient of a bias is a sum of columns: a fixed-order tree over chunks of rows
/// (kernels/columns.cuh); the sums of several chunks are put together in double. v1 a pack per thread; for
/// biases, a pack of channels and every 32nd row of a chunk per thread
#include "kernels/pointwise.h"

#include "kernels/columns.cuh"
#include "kernels/pack.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

template <int N, class T>
__global__ void __launch_bounds__(kFlatThreads) relu_forward_v1(ReluForwardArgs<T> args) {
  const std::int64_t run = blockIdx.y;
  const T* const x = args.x + run * args.x_run_stride;  // not __restrict__: may be y
  T* const y = args.y + run * args.y_run_stride;
  for_pack_of_thread<N>(args.elements, [&](auto size, std::int64_t first) {
    Floats<size> values = load_floats<size>(x + first);
    for (int i = 0; i < size; ++i) values[i] = values[i] < 0.0f ? 0.0f : values[i];  // NaN stays NaN
    store_floats(values, y + first);
  });
}

template <int N, class T>
__global__ void __launch_bounds__(kFlatThreads) relu_backward_v1(ReluBackwardArgs<T> args) {
  const std::int64_t run = blockIdx.y;
  const T* const __restrict__ y = args.y + run * args.y_run_stride;
  const T* const y_grad = args.y_grad + run * args.y_grad_run_stride;  // not __restrict__: may be x_grad
  T* const x_grad = args.x_grad + run * args.x_grad_run_stride;
  for_pack_of_thread<N>(args.elements, [&](auto size, std::int64_t first) {
    const Floats<size> values = load_floats<size>(y + first);
    Floats<size> gradients = load_floats<size>(y_grad + first);
    for (int i = 0; i < size; ++i) gradients[i] = values[i] > 0.0f ? gradients[i] : 0.0f;
    store_floats(gradients, x_grad + first);
  });
}

template <int N, class T>
__global__ void __launch_bounds__(kFlatThreads) add_v1(AddArgs<T> args) {
  const std::int64_t run = blockIdx.y;
  const T* const a = args.a + run * args.a_run_stride;  // none is __restrict__: y may be a and b
  const T* const b = args.b + run * args.b_run_stride;
  T* const y = args.y + run * args.y_run_stride;
  for_pack_of_thread<N>(args.elements, [&](auto size, std::int64_t first) {
    Floats<size> sums = load_floats<size>(a + first);
    const Floats<size> others = load_floats<size>(b + first);
    for (int i = 0; i < size; ++i) {
      const float sum = sums[i] + others[i];
      sums[i] = args.is_cut_off && sum < 0.0f ? 0.0f : sum;  // NaN stays NaN
    }
    store_floats(sums, y + first);
  });
}

template <int N>
__global__ void __launch_bounds__(kColumnThreads) bias_forward_v1(BiasForwardArgs args, RowChunks chunks) {
  const ColumnShare share = share_of_thread<N>(chunks);
  if (!share.is_inside) return;
  const std::int64_t run = blockIdx.y;
  const Floats<N> bias = load_channels<N>(args.bias + run * args.bias_run_stride + share.channel);
  float* const y = args.y + run * args.y_run_stride + share.channel;
  for_each_row_group(share, [&](std::int64_t row, int count) {
    float* const first = y + row * chunks.channels;
    const RowGroup group = load_rows<N>(first, chunks.channels, count);
    for (int j = 0; j < kRowsInFlight; ++j) {
      if (j >= count) break;
      Floats<N> values = to_floats(group.rows[j]);
      for (int i = 0; i < N; ++i) values[i] += bias[i];
      store_floats(values, first + std::int64_t{j} * kRowLanes * chunks.channels);
    }
  });
}

/// A workspace is worth its second kernel only where one block per group of channels would read for long.
RowChunks bias_chunks_of(const BiasExtents& extents) {
  return row_chunks(extents.rows, extents.channels, 1024);
}

/// Sums of the columns of each chunk: into the workspace [runs][chunks][channels], or, where there is only
/// one chunk, the gradient itself.
template <int N, class T>
__global__ void __launch_bounds__(kColumnThreads) bias_sums_v1(BiasBackwardArgs<T> args, RowChunks chunks) {
  const ColumnShare share = share_of_thread<N>(chunks);
  const std::int64_t run = blockIdx.y;
  const T* const __restrict__ y_grad = args.y_grad + run * args.y_grad_run_stride + share.channel;

  Floats<N> sum{};
  if (share.is_inside)
    for_each_row_group(share, [&](std::int64_t row, int count) {
      const RowGroup group = load_rows<N>(y_grad + row * chunks.channels, chunks.channels, count);
      for (int j = 0; j < kRowsInFlight; ++j)
        if (j < count)
          for (int i = 0; i < N; ++i) sum[i] += to_float(group.rows[j][i]);
    });
  sum = reduce_lanes_of_column(sum, [](Floats<N> a, const Floats<N>& b) {
    for (int i = 0; i < N; ++i) a[i] += b[i];
    return a;
  });

  if (!share.is_inside || threadIdx.y != 0) return;
  float* const to = chunks.count == 1 ? args.bias_grad + run * args.bias_grad_run_stride
                                      : args.workspace + (run * chunks.count + share.chunk) * chunks.channels;
  store_channels(sum, to + share.channel);
}

template <class T>
__global__ void __launch_bounds__(kColumnThreads, kFinishBlocksPerProcessor)
    bias_gradient_v1(BiasBackwardArgs<T> args, RowChunks chunks) {
  const FinishShare share = finish_share_of_thread(chunks);
  const std::int64_t run = blockIdx.y;
  const double sum = sum_over_chunks(share, chunks, [&](int chunk) {
    return double{args.workspace[(run * chunks.count + chunk) * chunks.channels + share.channel]};
  });
  if (!share.is_inside || threadIdx.y != 0) return;
  args.bias_grad[run * args.bias_grad_run_stride + share.channel] = static_cast<float>(sum);
}

}  // namespace

template <class T>
void relu_forward(const ReluForwardArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  if (args.elements == 0) return;  // an empty grid is a launch error
  if (holds_packs<kPack>(args.x, {args.x_run_stride}) && holds_packs<kPack>(args.y, {args.y_run_stride}))
    launch(flat_shape<kPack>(args.elements, args.runs, stream), relu_forward_v1<kPack, T>, args);
  else
    launch(flat_shape<1>(args.elements, args.runs, stream), relu_forward_v1<1, T>, args);
}

template <class T>
void relu_backward(const ReluBackwardArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  if (args.elements == 0) return;
  if (holds_packs<kPack>(args.y, {args.y_run_stride}) &&
      holds_packs<kPack>(args.y_grad, {args.y_grad_run_stride}) &&
      holds_packs<kPack>(args.x_grad, {args.x_grad_run_stride}))
    launch(flat_shape<kPack>(args.elements, args.runs, stream), relu_backward_v1<kPack, T>, args);
  else
    launch(flat_shape<1>(args.elements, args.runs, stream), relu_backward_v1<1, T>, args);
}

template <class T>
void add(const AddArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  if (args.elements == 0) return;
  if (holds_packs<kPack>(args.a, {args.a_run_stride}) && holds_packs<kPack>(args.b, {args.b_run_stride}) &&
      holds_packs<kPack>(args.y, {args.y_run_stride}))
    launch(flat_shape<kPack>(args.elements, args.runs, stream), add_v1<kPack, T>, args);
  else
    launch(flat_shape<1>(args.elements, args.runs, stream), add_v1<1, T>, args);
}

void bias_forward(const BiasForwardArgs& args, Stream stream) {
  constexpr int kPack = kPackSize<float>;
  const RowChunks chunks = row_chunks(args.extents.rows, args.extents.channels);
  if (holds_packs<kPack>(args.y, {args.y_run_stride, args.extents.channels}))
    launch(columns_shape<kPack>(chunks, args.extents.runs, stream), bias_forward_v1<kPack>, args, chunks);
  else
    launch(columns_shape<1>(chunks, args.extents.runs, stream), bias_forward_v1<1>, args, chunks);
}

std::size_t bias_backward_workspace(const BiasExtents& extents) {
  const RowChunks chunks = bias_chunks_of(extents);
  if (chunks.count == 1) return 0;
  return static_cast<std::size_t>(std::int64_t{extents.runs} * chunks.count * extents.channels) *
         sizeof(float);
}

template <class T>
void bias_backward(const BiasBackwardArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  const RowChunks chunks = bias_chunks_of(args.extents);
  if (holds_packs<kPack>(args.y_grad, {args.y_grad_run_stride, args.extents.channels}))
    launch(columns_shape<kPack>(chunks, args.extents.runs, stream), bias_sums_v1<kPack, T>, args, chunks);
  else
    launch(columns_shape<1>(chunks, args.extents.runs, stream), bias_sums_v1<1, T>, args, chunks);
  if (chunks.count > 1)
    launch(finish_shape(chunks, args.extents.runs, stream), bias_gradient_v1<T>, args, chunks);
}

template void relu_forward(const ReluForwardArgs<float>&, Stream);
template void relu_forward(const ReluForwardArgs<Bf16>&, Stream);
template void relu_backward(const ReluBackwardArgs<float>&, Stream);
template void relu_backward(const ReluBackwardArgs<Bf16>&, Stream);
template void add(const AddArgs<float>&, Stream);
template void add(const AddArgs<Bf16>&, Stream);
template void bias_backward(const BiasBackwardArgs<float>&, Stream);
template void bias_backward(const BiasBackwardArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
