/// Maximum and average pooling, forward and backward.
/// A thread per pack of channels of one written pixel: forward it walks over the window, backward over the
/// windows that cover the pixel (a gather, so there is nothing to add atomically). Every element is written
/// once; one that several windows share comes from the caches after its first read.
/// v1 one pixel per thread, packs of 16 bytes where all is aligned; windows of 2 and 3 unrolled
#include "kernels/pooling.h"

#include "kernels/pack.cuh"
#include "kernels/pooling.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kThreads = 128;
// Half of the threads that a multiprocessor can hold: told nothing, ptxas spills to fit them all.
constexpr int kBlocksPerProcessor = 8;

enum class Pooling { kMaximum, kAverage };

/// The images that a kernel writes.
struct Written {
  int images, height, width, channels;
};

__host__ __device__ Written output_of(const PoolExtents& extents) {
  return {extents.images, extents.output_height, extents.output_width, extents.channels};
}

__host__ __device__ Written input_of(const PoolExtents& extents) {
  return {extents.images, extents.height, extents.width, extents.channels};
}

/// Blocks of a line: the pixels of one row of one image.
template <int N>
__host__ __device__ int blocks_per_line(const Written& written) {
  return (written.width * (written.channels / N) + kThreads - 1) / kThreads;
}

template <int N>
LaunchShape pool_shape(const Written& written, int runs, Stream stream) {
  const std::int64_t lines = std::int64_t{written.images} * written.height;
  return {.grid = {grid_extent(lines * blocks_per_line<N>(written)), static_cast<unsigned>(runs)},
          .block = {kThreads},
          .stream = stream};
}

/// Where a thread writes: N channels of pixel (n,h,w).
struct Place {
  int n, h, w, channel;
  bool is_inside;
};

template <int N>
__device__ Place place_of_thread(const Written& written) {
  const int blocks = blocks_per_line<N>(written), block = static_cast<int>(blockIdx.x);
  const int packs = written.channels / N, line = block / blocks;
  const int in_line = block % blocks * kThreads + static_cast<int>(threadIdx.x);
  return {.n = line / written.height,
          .h = line % written.height,
          .w = in_line / packs,
          .channel = in_line % packs * N,
          .is_inside = in_line < written.width * packs};
}

/// Calls `visit(place, h, w)` for the pixels of window (i,j) that are not padding, in row-major order; place
/// = k·kernel + l. kKernel is the window's size where the compiler is to know it, else 0.
template <int kKernel, class Visit>
__device__ void for_each_pixel_of_window(const PoolExtents& extents, int i, int j, const Visit& visit) {
  const int kernel = kKernel == 0 ? extents.kernel : kKernel;
  const int top = i * extents.stride - extents.padding, left = j * extents.stride - extents.padding;
  for (int k = 0; k < kernel; ++k)
    for (int l = 0; l < kernel; ++l) {
      const int h = top + k, w = left + l;
      if (h >= 0 && h < extents.height && w >= 0 && w < extents.width) visit(k * kernel + l, h, w);
    }
}

/// Windows [begin, end) that cover one coordinate of a pixel.
struct Covering {
  int begin, end;
};

__device__ Covering windows_over(int coordinate, int outputs, const PoolExtents& extents) {
  const int padded = coordinate + extents.padding, last = padded / extents.stride;
  // The first of them starts at most kernel − 1 before the pixel.
  const int begin = padded < extents.kernel ? 0 : (padded - extents.kernel) / extents.stride + 1;
  return {begin, last < outputs ? last + 1 : outputs};
}

/// Calls `visit(place, i, j)` for the windows that cover pixel (h,w), in row-major order; place is the
/// pixel's in the window.
template <class Visit>
__device__ void for_each_window_over_pixel(const PoolExtents& extents, int h, int w, const Visit& visit) {
  const Covering rows = windows_over(h, extents.output_height, extents);
  const Covering columns = windows_over(w, extents.output_width, extents);
  for (int i = rows.begin; i < rows.end; ++i)
    for (int j = columns.begin; j < columns.end; ++j) {
      const int k = h + extents.padding - i * extents.stride, l = w + extents.padding - j * extents.stride;
      visit(k * extents.kernel + l, i, j);
    }
}

template <int N>
__device__ void divide_by_places(const PoolExtents& extents, Floats<N>& sum) {
  const float places = static_cast<float>(extents.kernel) * static_cast<float>(extents.kernel);
  for (int c = 0; c < N; ++c) sum[c] /= places;
}

template <Pooling kPooling, int kKernel, int N, class T>
__global__ void __launch_bounds__(kThreads, kBlocksPerProcessor) pool_forward_v1(PoolForwardArgs<T> args) {
  const Place at = place_of_thread<N>(output_of(args.extents));
  if (!at.is_inside) return;
  const std::int64_t run = blockIdx.y;
  const T* const __restrict__ x = args.x + run * args.x_run_stride + at.channel;
  const std::int64_t to = offset_of(args.y_strides, at.n, at.h, at.w) + at.channel;
  T* const __restrict__ y = args.y + run * args.y_run_stride + to;

  if constexpr (kPooling == Pooling::kMaximum) {
    const int top = at.h * args.extents.stride - args.extents.padding;
    const int left = at.w * args.extents.stride - args.extents.padding;
    Largest<N> largest((top < 0 ? -top : 0) * args.extents.kernel + (left < 0 ? -left : 0));
    for_each_pixel_of_window<kKernel>(args.extents, at.h, at.w, [&](int place, int h, int w) {
      largest.take(load_floats<N>(x + offset_of(args.x_strides, at.n, h, w)), place);
    });
    store_floats(largest.values, y);
    if (args.winner == nullptr) return;
    Pack<std::uint8_t, N> winners;
    for (int c = 0; c < N; ++c) winners[c] = static_cast<std::uint8_t>(largest.places[c]);
    store_pack(winners, args.winner + run * args.winner_run_stride + to);
  } else {
    Floats<N> sum{};
    for_each_pixel_of_window<kKernel>(args.extents, at.h, at.w, [&](int, int h, int w) {
      const Floats<N> values = load_floats<N>(x + offset_of(args.x_strides, at.n, h, w));
      for (int c = 0; c < N; ++c) sum[c] += values[c];
    });
    divide_by_places(args.extents, sum);
    store_floats(sum, y);
  }
}

template <Pooling kPooling, int N, class T>
__global__ void __launch_bounds__(kThreads, kBlocksPerProcessor) pool_backward_v1(PoolBackwardArgs<T> args) {
  const Place at = place_of_thread<N>(input_of(args.extents));
  if (!at.is_inside) return;
  const std::int64_t run = blockIdx.y;
  const T* const __restrict__ y_grad = args.y_grad + run * args.y_grad_run_stride + at.channel;
  const std::uint8_t* const __restrict__ winner = args.winner + run * args.winner_run_stride + at.channel;

  Floats<N> sum{};
  for_each_window_over_pixel(args.extents, at.h, at.w, [&](int place, int i, int j) {
    const std::int64_t from = offset_of(args.y_grad_strides, at.n, i, j);
    Floats<N> gradient = load_floats<N>(y_grad + from);
    if constexpr (kPooling == Pooling::kMaximum) {
      const Pack<std::uint8_t, N> winners = load_pack<N>(winner + from);
      for (int c = 0; c < N; ++c)
        if (winners[c] != place) gradient[c] = 0.0f;
    }
    for (int c = 0; c < N; ++c) sum[c] += gradient[c];
  });
  if constexpr (kPooling == Pooling::kAverage) divide_by_places(args.extents, sum);
  store_floats(sum, args.x_grad + run * args.x_grad_run_stride +
                        offset_of(args.x_grad_strides, at.n, at.h, at.w) + at.channel);
}

template <Pooling kPooling, int N, class T>
void forward_in_packs(const PoolForwardArgs<T>& args, Stream stream) {
  const LaunchShape shape = pool_shape<N>(output_of(args.extents), args.extents.runs, stream);
  switch (args.extents.kernel) {
    case 2:
      return launch(shape, pool_forward_v1<kPooling, 2, N, T>, args);
    case 3:
      return launch(shape, pool_forward_v1<kPooling, 3, N, T>, args);
    default:
      return launch(shape, pool_forward_v1<kPooling, 0, N, T>, args);
  }
}

template <Pooling kPooling, int N, class T>
void backward_in_packs(const PoolBackwardArgs<T>& args, Stream stream) {
  launch(pool_shape<N>(input_of(args.extents), args.extents.runs, stream), pool_backward_v1<kPooling, N, T>,
         args);
}

template <Pooling kPooling, class T>
void forward(const PoolForwardArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  const bool is_packed = args.extents.channels % kPack == 0 &&
                         images_hold_packs<kPack>(args.x, args.x_strides, args.x_run_stride) &&
                         images_hold_packs<kPack>(args.y, args.y_strides, args.y_run_stride) &&
                         images_hold_packs<kPack>(args.winner, args.y_strides, args.winner_run_stride);
  is_packed ? forward_in_packs<kPooling, kPack>(args, stream) : forward_in_packs<kPooling, 1>(args, stream);
}

template <Pooling kPooling, class T>
void backward(const PoolBackwardArgs<T>& args, Stream stream) {
  constexpr int kPack = kPackSize<T>;
  const bool is_packed = args.extents.channels % kPack == 0 &&
                         images_hold_packs<kPack>(args.y_grad, args.y_grad_strides, args.y_grad_run_stride) &&
                         images_hold_packs<kPack>(args.winner, args.y_grad_strides, args.winner_run_stride) &&
                         images_hold_packs<kPack>(args.x_grad, args.x_grad_strides, args.x_grad_run_stride);
  is_packed ? backward_in_packs<kPooling, kPack>(args, stream) : backward_in_packs<kPooling, 1>(args, stream);
}

}  // namespace

template <class T>
void max_pool_forward(const PoolForwardArgs<T>& args, Stream stream) {
  forward<Pooling::kMaximum>(args, stream);
}

template <class T>
void average_pool_forward(const PoolForwardArgs<T>& args, Stream stream) {
  forward<Pooling::kAverage>(args, stream);
}

template <class T>
void max_pool_backward(const PoolBackwardArgs<T>& args, Stream stream) {
  backward<Pooling::kMaximum>(args, stream);
}

template <class T>
void average_pool_backward(const PoolBackwardArgs<T>& args, Stream stream) {
  backward<Pooling::kAverage>(args, stream);
}

template void max_pool_forward(const PoolForwardArgs<float>&, Stream);
template void max_pool_forward(const PoolForwardArgs<Bf16>&, Stream);
template void average_pool_forward(const PoolForwardArgs<float>&, Stream);
template void average_pool_forward(const PoolForwardArgs<Bf16>&, Stream);
template void max_pool_backward(const PoolBackwardArgs<float>&, Stream);
template void max_pool_backward(const PoolBackwardArgs<Bf16>&, Stream);
template void average_pool_backward(const PoolBackwardArgs<float>&, Stream);
template void average_pool_backward(const PoolBackwardArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
