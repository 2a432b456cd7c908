/// Subsampling with zero padding of channels, forward and backward.
/// Bound by memory: every element of the result is written once, every sampled one read once. Shortcuts of
/// this kind are two of a network's layers and a small part of its traffic, so there are no packs.
/// v1 one element of the result per thread
#include "kernels/subsample.h"

#include "kernels/grid.h"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kThreads = 256;

/// The image that is written.
struct Result {
  int images, height, width, channels;

  __host__ __device__ std::int64_t elements() const {
    return std::int64_t{images} * height * width * channels;
  }
};

/// One element of it.
struct Element {
  std::int64_t n;
  int h, w, channel;
};

__device__ Element element_of(const Result& result, std::int64_t index) {
  const auto channel = static_cast<int>(index % result.channels);
  const std::int64_t pixel = index / result.channels, line = pixel / result.width;
  return {.n = line / result.height,
          .h = static_cast<int>(line % result.height),
          .w = static_cast<int>(pixel % result.width),
          .channel = channel};
}

__device__ std::int64_t offset_of(const ImageStrides& strides, const Element& element) {
  return element.n * strides.n + element.h * strides.h + element.w * strides.w + element.channel;
}

__device__ std::int64_t index_of_thread() { return std::int64_t{blockIdx.x} * kThreads + threadIdx.x; }

template <class T>
__global__ void __launch_bounds__(kThreads)
    subsample_forward_v1(SubsampleForwardArgs<T> args, Result result) {
  const std::int64_t index = index_of_thread(), run = blockIdx.y;
  if (index >= result.elements()) return;
  const Element to = element_of(result, index);
  const Element from{.n = to.n,
                     .h = to.h * args.extents.stride,
                     .w = to.w * args.extents.stride,
                     .channel = to.channel - args.extents.first_channel};
  const bool is_copied = from.channel >= 0 && from.channel < args.extents.channels;
  const T* const __restrict__ x = args.x + run * args.x_run_stride;
  args.y[run * args.y_run_stride + offset_of(args.y_strides, to)] =
      is_copied ? x[offset_of(args.x_strides, from)] : from_float<T>(0.0f);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    subsample_backward_v1(SubsampleBackwardArgs<T> args, Result result) {
  const std::int64_t index = index_of_thread(), run = blockIdx.y;
  if (index >= result.elements()) return;
  const Element to = element_of(result, index);
  const int stride = args.extents.stride;
  const Element from{
      .n = to.n, .h = to.h / stride, .w = to.w / stride, .channel = to.channel + args.extents.first_channel};
  const bool is_copied = from.h * stride == to.h && from.w * stride == to.w;
  const T* const __restrict__ y_grad = args.y_grad + run * args.y_grad_run_stride;
  args.x_grad[run * args.x_grad_run_stride + offset_of(args.x_grad_strides, to)] =
      is_copied ? y_grad[offset_of(args.y_grad_strides, from)] : from_float<T>(0.0f);
}

/// `sampled`: the pixels of x_grad that have one in y_grad.
template <class T>
__global__ void __launch_bounds__(kThreads)
    subsample_backward_add_v1(SubsampleBackwardArgs<T> args, Result sampled) {
  const std::int64_t index = index_of_thread(), run = blockIdx.y;
  if (index >= sampled.elements()) return;
  const Element element = element_of(sampled, index);
  Element from = element, to = element;
  from.channel += args.extents.first_channel;
  to.h *= args.extents.stride;
  to.w *= args.extents.stride;
  const T gradient = args.y_grad[run * args.y_grad_run_stride + offset_of(args.y_grad_strides, from)];
  T& x_grad = args.x_grad[run * args.x_grad_run_stride + offset_of(args.x_grad_strides, to)];
  x_grad = from_float<T>(to_float(x_grad) + to_float(gradient));
}

LaunchShape shape_of(const Result& result, int runs, Stream stream) {
  return {.grid = {grid_extent(ceil_divide(result.elements(), kThreads)), static_cast<unsigned>(runs)},
          .block = {kThreads},
          .stream = stream};
}

}  // namespace

template <class T>
void subsample_forward(const SubsampleForwardArgs<T>& args, Stream stream) {
  const SubsampleExtents& extents = args.extents;
  const Result result{.images = extents.images,
                      .height = extents.output_height,
                      .width = extents.output_width,
                      .channels = extents.output_channels};
  if (result.elements() == 0) return;  // an empty grid is a launch error
  launch(shape_of(result, extents.runs, stream), subsample_forward_v1<T>, args, result);
}

template <class T>
void subsample_backward(const SubsampleBackwardArgs<T>& args, Stream stream) {
  const SubsampleExtents& extents = args.extents;
  const bool adds = args.x_grad_mode == GradientMode::kAccumulate;
  const Result result{.images = extents.images,
                      .height = adds ? extents.output_height : extents.height,
                      .width = adds ? extents.output_width : extents.width,
                      .channels = extents.channels};
  if (result.elements() == 0) return;
  launch(shape_of(result, extents.runs, stream),
         adds ? subsample_backward_add_v1<T> : subsample_backward_v1<T>, args, result);
}

template void subsample_forward(const SubsampleForwardArgs<float>&, Stream);
template void subsample_forward(const SubsampleForwardArgs<Bf16>&, Stream);
template void subsample_backward(const SubsampleBackwardArgs<float>&, Stream);
template void subsample_backward(const SubsampleBackwardArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
