/// Convolution, gradient with respect to the input: x_grad[pixel, c] = Σ_depth y_grad(pixel, depth) ·
/// weights(depth, c), an implicit matrix product (kernels/conv2d_input_gradient.cuh). Cost: 2·pixels of
/// y·y_channels·filter floating-point operations. v1 one thread per pixel and channel of the input · v2 tiles
/// in shared memory, FFMA · v3 the same on tensor cores
#include <array>

#include "kernels/conv2d.h"
#include "kernels/conv2d_input_gradient.cuh"
#include "kernels/grid.h"
#include "kernels/implicit_gemm.cuh"
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
  T& x_grad = args.x_grad.run(run)[args.x_grad.offset(n, h, w) + c];
  if (args.x_grad_mode == GradientMode::kAccumulate) sum += to_float(x_grad);
  x_grad = from_float<T>(sum);
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

/// What the launcher has found out about the arguments.
struct Plan {
  InputGradientPlan product;
  bool has_packs;  ///< as ProductOutput
};

/// v2 and v3. grid (tiles of pixels of a phase × channels of x, runs, phases).
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocksPerSm)
    conv2d_backward_input_tiled(Conv2dBackwardInputArgs<typename Config::T> args, Plan plan) {
  using T = typename Config::T;
  const Conv2dShape& shape = args.shape;
  const TilePosition position = tile_of_block<typename Config::Shape>(shape.x_channels);
  const int phases_across = min(shape.stride, shape.x_width), phase = static_cast<int>(blockIdx.z);
  const Phase vertical(phase / phases_across, shape.x_height, shape.y_height, shape);
  const Phase horizontal(phase % phases_across, shape.x_width, shape.y_width, shape);
  const Window whole{vertical.window, horizontal.window, shape.batch, plan.product.order};
  if (position.first_row >= whole.positions()) return;  // the grid has room for the largest phase
  const bool accumulates = args.x_grad_mode == GradientMode::kAccumulate;
  if (accumulates && vertical.window.taps * horizontal.window.taps == 0) return;  // adds nothing
  const std::int64_t run = blockIdx.y;
  const auto multiply = [&](const auto& patches, const auto& filters, DepthRange depths,
                            const Window& window) {
    const ImageStrides& strides = args.x_grad.strides;
    const ProductOutput<T, DigitAxis> x_grad{
        .data = args.x_grad.run(run) + args.x_grad.offset(0, vertical.remainder, horizontal.remainder),
        .rows = window.positions_axis({strides.n, strides.h * shape.stride, strides.w * shape.stride}),
        .columns = shape.x_channels,
        .has_packs = plan.has_packs,
        .accumulates = accumulates};
    multiply_tile<Config>(patches, filters, position, depths, x_grad);
  };
  with_input_gradient<T>(args, plan.product, vertical, horizontal, position.first_row, run, multiply);
}

template <class T, Unit unit>
void launch_tiled(const Conv2dBackwardInputArgs<T>& args, Stream stream) {
  const Conv2dShape& shape = args.shape;
  if (shape.batch == 0) return;  // an empty grid is a launch error
  const int height = static_cast<int>(ceil_divide(shape.x_height, shape.stride));  // of the largest phase
  const int width = static_cast<int>(ceil_divide(shape.x_width, shape.stride));
  const int phases = std::min(shape.stride, shape.x_height) * std::min(shape.stride, shape.x_width);
  const Plan plan{
      .product = plan_input_gradient(args, height, width),
      .has_packs = Alignment{}.images(args.x_grad, shape.x_channels).is_multiple_of(sizeof(Pack<T, 4>))};
  const OperandAlignment operands = alignment_of_input_gradient<T>(args);
  with_tile<T, unit>(operands, shape.x_pixels(), shape.x_channels, [&](auto config) {
    using Config = decltype(config);
    const std::int64_t positions = std::int64_t{shape.batch} * height * width;
    launch({.grid = {grid_extent(tiles_of<typename Config::Shape>(positions, shape.x_channels)),
                     static_cast<unsigned>(args.runs), static_cast<unsigned>(phases)},
            .block = {Config::kThreads},
            .shared_bytes = Config::template kSharedBytes<Order::kDepthFastest, Order::kRowsFastest>,
            .stream = stream},
           conv2d_backward_input_tiled<Config>, args, plan);
  });
}

bool wants_tf32(const Conv2dBackwardInputArgs<float>& args) { return args.math == MathMode::kTf32; }

constexpr std::array<KernelVersion<Conv2dBackwardInputArgs<float>>, 3> kFloatVersions{
    {{"conv2d_backward_input_v1", nullptr, launch_v1<float>},
     {"conv2d_backward_input_v2", nullptr, launch_tiled<float, Unit::kFfma>},
     {"conv2d_backward_input_v3", wants_tf32, launch_tiled<float, Unit::kTensorCore>}}};
constexpr std::array<KernelVersion<Conv2dBackwardInputArgs<Bf16>>, 2> kBf16Versions{
    {{"conv2d_backward_input_v1", nullptr, launch_v1<Bf16>},
     {"conv2d_backward_input_v3", nullptr, launch_tiled<Bf16, Unit::kTensorCore>}}};

}  // namespace

template <>
std::span<const KernelVersion<Conv2dBackwardInputArgs<float>>> conv2d_backward_input_versions() {
  return kFloatVersions;
}
template <>
std::span<const KernelVersion<Conv2dBackwardInputArgs<Bf16>>> conv2d_backward_input_versions() {
  return kBf16Versions;
}

template <class T>
void conv2d_backward_input(const Conv2dBackwardInputArgs<T>& args, Stream stream) {
  launch_newest(conv2d_backward_input_versions<T>(), args, stream);
}
template void conv2d_backward_input(const Conv2dBackwardInputArgs<float>&, Stream);
template void conv2d_backward_input(const Conv2dBackwardInputArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
