/// Convolution, gradient with respect to the input.
/// v1 one thread per pixel and channel of the input
#include <array>

#include "kernels/conv2d.h"
#include "kernels/grid.h"
#include "kernels/newest.h"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kThreads = 256;

/// grid (blocks of elements of x_grad, runs).
template <class T>
__global__ void __launch_bounds__(kThreads) conv2d_backward_input_v1(Conv2dBackwardInputArgs<T> args) {
  const Conv2dShape& shape = args.shape;
  const std::int64_t element = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (element >= std::int64_t{shape.x_pixels()} * shape.x_channels) return;
  const std::int64_t run = blockIdx.y;
  const T* const __restrict__ y_grad = args.y_grad.run(run);
  const int c = static_cast<int>(element % shape.x_channels);
  const int pixel = static_cast<int>(element / shape.x_channels);
  const int w = pixel % shape.x_width, h = pixel / shape.x_width % shape.x_height;
  const int n = pixel / shape.x_width / shape.x_height;

  const T* __restrict__ weight = args.weights.run(run) + c;  // of tap (k,l) and output channel 0
  float sum = 0;
  for (int k = 0; k < shape.kernel; ++k)
    for (int l = 0; l < shape.kernel; ++l, weight += shape.x_channels) {
      // The tap brings pixel (h,w) to output (i,j), i·stride + k − padding = h, if there is one.
      const int i_times_stride = h + shape.padding - k, j_times_stride = w + shape.padding - l;
      if (i_times_stride < 0 || i_times_stride % shape.stride != 0) continue;
      if (j_times_stride < 0 || j_times_stride % shape.stride != 0) continue;
      const int i = i_times_stride / shape.stride, j = j_times_stride / shape.stride;
      if (i >= shape.y_height || j >= shape.y_width) continue;
      const T* const __restrict__ y_grad_pixel = y_grad + args.y_grad.offset(n, i, j);
      for (int o = 0; o < shape.y_channels; ++o)
        sum += to_float(weight[std::int64_t{o} * shape.filter_elements()]) * to_float(y_grad_pixel[o]);
    }
  args.x_grad.run(run)[args.x_grad.offset(n, h, w) + c] = from_float<T>(sum);
}

template <class T>
void launch_v1(const Conv2dBackwardInputArgs<T>& args, Stream stream) {
  const std::int64_t elements = std::int64_t{args.shape.x_pixels()} * args.shape.x_channels;
  if (elements == 0) return;  // an empty grid is a launch error
  launch({.grid = {grid_extent(ceil_divide(elements, kThreads)), static_cast<unsigned>(args.runs)},
          .block = {kThreads},
          .stream = stream},
         conv2d_backward_input_v1<T>, args);
}

template <class T>
constexpr std::array<KernelVersion<Conv2dBackwardInputArgs<T>>, 1> kVersions{
    {{"conv2d_backward_input_v1", nullptr, launch_v1<T>}}};

}  // namespace

template <class T>
std::span<const KernelVersion<Conv2dBackwardInputArgs<T>>> conv2d_backward_input_versions() {
  return kVersions<T>;
}

template <class T>
void conv2d_backward_input(const Conv2dBackwardInputArgs<T>& args, Stream stream) {
  launch_newest(conv2d_backward_input_versions<T>(), args, stream);
}

template void conv2d_backward_input(const Conv2dBackwardInputArgs<float>&, Stream);
template void conv2d_backward_input(const Conv2dBackwardInputArgs<Bf16>&, Stream);
template std::span<const KernelVersion<Conv2dBackwardInputArgs<float>>> conv2d_backward_input_versions();
template std::span<const KernelVersion<Conv2dBackwardInputArgs<Bf16>>> conv2d_backward_input_versions();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
