/// Convolution, forward.
/// v1 one thread per output
#include <array>

#include "kernels/conv2d.h"
#include "kernels/grid.h"
#include "kernels/newest.h"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kThreads = 256;

/// grid (blocks of outputs, runs). Sums in fp32 in the order of the filter in memory: k, l, c.
template <class T>
__global__ void __launch_bounds__(kThreads) conv2d_forward_v1(Conv2dForwardArgs<T> args) {
  const Conv2dShape& shape = args.shape;
  const std::int64_t output = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (output >= std::int64_t{shape.y_pixels()} * shape.y_channels) return;
  const std::int64_t run = blockIdx.y;
  const T* const __restrict__ x = args.x.run(run);
  const int o = static_cast<int>(output % shape.y_channels);
  const int pixel = static_cast<int>(output / shape.y_channels);
  const int j = pixel % shape.y_width, i = pixel / shape.y_width % shape.y_height;
  const int n = pixel / shape.y_width / shape.y_height;

  const T* __restrict__ filter = args.weights.run(run) + std::int64_t{o} * shape.filter_elements();
  float sum = 0;
  for (int k = 0; k < shape.kernel; ++k)
    for (int l = 0; l < shape.kernel; ++l, filter += shape.x_channels) {
      const int h = i * shape.stride + k - shape.padding, w = j * shape.stride + l - shape.padding;
      if (h < 0 || h >= shape.x_height || w < 0 || w >= shape.x_width) continue;
      const T* const __restrict__ x_pixel = x + args.x.offset(n, h, w);
      for (int c = 0; c < shape.x_channels; ++c) sum += to_float(filter[c]) * to_float(x_pixel[c]);
    }
  if (args.bias.data != nullptr) sum += args.bias.run(run)[o];
  args.y.run(run)[args.y.offset(n, i, j) + o] = from_float<T>(sum);
}

template <class T>
void launch_v1(const Conv2dForwardArgs<T>& args, Stream stream) {
  const std::int64_t outputs = std::int64_t{args.shape.y_pixels()} * args.shape.y_channels;
  if (outputs == 0) return;  // an empty grid is a launch error
  launch({.grid = {grid_extent(ceil_divide(outputs, kThreads)), static_cast<unsigned>(args.runs)},
          .block = {kThreads},
          .stream = stream},
         conv2d_forward_v1<T>, args);
}

template <class T>
constexpr std::array<KernelVersion<Conv2dForwardArgs<T>>, 1> kVersions{
    {{"conv2d_forward_v1", nullptr, launch_v1<T>}}};

}  // namespace

template <class T>
std::span<const KernelVersion<Conv2dForwardArgs<T>>> conv2d_forward_versions() {
  return kVersions<T>;
}

template <class T>
void conv2d_forward(const Conv2dForwardArgs<T>& args, Stream stream) {
  launch_newest(conv2d_forward_versions<T>(), args, stream);
}

template void conv2d_forward(const Conv2dForwardArgs<float>&, Stream);
template void conv2d_forward(const Conv2dForwardArgs<Bf16>&, Stream);
template std::span<const KernelVersion<Conv2dForwardArgs<float>>> conv2d_forward_versions<float>();
template std::span<const KernelVersion<Conv2dForwardArgs<Bf16>>> conv2d_forward_versions<Bf16>();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
