/// Convolution, gradients with respect to the weights and the bias.
/// v1 one thread per weight
#include <array>

#include "kernels/conv2d.h"
#include "kernels/grid.h"
#include "kernels/newest.h"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kThreads = 256;

/// grid (blocks of weights and after them biases, runs). Sums in fp32 in the order n, i, j.
template <class T>
__global__ void __launch_bounds__(kThreads) conv2d_backward_weights_v1(Conv2dBackwardWeightsArgs<T> args) {
  const Conv2dShape& shape = args.shape;
  const std::int64_t element = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const bool is_bias = element >= shape.weights();
  if (is_bias && (args.bias_grad.data == nullptr || element >= shape.weights() + shape.y_channels)) return;
  const std::int64_t run = blockIdx.y;
  const T* const __restrict__ x = args.x.run(run);
  const T* const __restrict__ y_grad = args.y_grad.run(run);
  const int in_filter = static_cast<int>(element % shape.filter_elements());
  const int o = static_cast<int>(is_bias ? element - shape.weights() : element / shape.filter_elements());
  const int c = in_filter % shape.x_channels, tap = in_filter / shape.x_channels;
  const int k = tap / shape.kernel, l = tap % shape.kernel;

  float sum = 0;
  for (int n = 0; n < shape.batch; ++n)
    for (int i = 0; i < shape.y_height; ++i)
      for (int j = 0; j < shape.y_width; ++j) {
        const float gradient = to_float(y_grad[args.y_grad.offset(n, i, j) + o]);
        const int h = i * shape.stride + k - shape.padding, w = j * shape.stride + l - shape.padding;
        if (is_bias)
          sum += gradient;
        else if (h >= 0 && h < shape.x_height && w >= 0 && w < shape.x_width)
          sum += gradient * to_float(x[args.x.offset(n, h, w) + c]);
      }
  if (is_bias)
    args.bias_grad.run(run)[o] = sum;
  else
    args.weights_grad.run(run)[element] = sum;
}

template <class T>
void launch_v1(const Conv2dBackwardWeightsArgs<T>& args, Stream stream) {
  const std::int64_t elements =
      args.shape.weights() + (args.bias_grad.data != nullptr ? args.shape.y_channels : 0);
  launch({.grid = {grid_extent(ceil_divide(elements, kThreads)), static_cast<unsigned>(args.runs)},
          .block = {kThreads},
          .stream = stream},
         conv2d_backward_weights_v1<T>, args);
}

template <class T>
constexpr std::array<KernelVersion<Conv2dBackwardWeightsArgs<T>>, 1> kVersions{
    {{"conv2d_backward_weights_v1", nullptr, launch_v1<T>}}};

}  // namespace

template <class T>
std::size_t conv2d_backward_weights_workspace(const Conv2dBackwardWeightsArgs<T>&) {
  return 0;
}

template <class T>
std::span<const KernelVersion<Conv2dBackwardWeightsArgs<T>>> conv2d_backward_weights_versions() {
  return kVersions<T>;
}

template <class T>
void conv2d_backward_weights(const Conv2dBackwardWeightsArgs<T>& args, Stream stream) {
  launch_newest(conv2d_backward_weights_versions<T>(), args, stream);
}

template void conv2d_backward_weights(const Conv2dBackwardWeightsArgs<float>&, Stream);
template void conv2d_backward_weights(const Conv2dBackwardWeightsArgs<Bf16>&, Stream);
template std::size_t conv2d_backward_weights_workspace(const Conv2dBackwardWeightsArgs<float>&);
template std::size_t conv2d_backward_weights_workspace(const Conv2dBackwardWeightsArgs<Bf16>&);
template std::span<const KernelVersion<Conv2dBackwardWeightsArgs<float>>> conv2d_backward_weights_versions();
template std::span<const KernelVersion<Conv2dBackwardWeightsArgs<Bf16>>> conv2d_backward_weights_versions();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
