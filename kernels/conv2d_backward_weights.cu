/// Convolution, gradient with respect to the weights: weights_grad[o, tap] = Σ_pixels
/// y_grad(o, pixel) · x(pixel, tap), an implicit matrix product that is small but deep: its depth runs over
/// the pixels of all images. So that there are blocks enough, the pixels are split; each split's sums go to
/// the workspace, and a second kernel adds them up in the order of the splits. How many there are depends on
/// the extents alone. Cost: 2·pixels of y·y_channels·filter floating-point operations, and 8 bytes written
/// and read per weight and split. v1 one thread per weight · v2 tiles in shared memory, FFMA, split pixels ·
/// v3 the same on tensor cores
#include <algorithm>
#include <array>

#include "kernels/conv2d.h"
#include "kernels/conv2d_window.cuh"
#include "kernels/grid.h"
#include "kernels/implicit_gemm.cuh"
#include "kernels/newest.h"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kThreads = 256;

/// grid (blocks of weights, runs). Sums in fp32 in the order n, i, j.
template <class T>
__global__ void __launch_bounds__(kThreads) conv2d_backward_weights_v1(Conv2dBackwardWeightsArgs<T> args) {
  const Conv2dShape& shape = args.shape;
  const std::int64_t weight = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (weight >= shape.weights()) return;
  const std::int64_t run = blockIdx.y;
  const int in_filter = static_cast<int>(weight % shape.filter_elements());
  const int o = static_cast<int>(weight / shape.filter_elements());
  const int c = in_filter % shape.x_channels, tap = in_filter / shape.x_channels;
  const int k = tap / shape.kernel, l = tap % shape.kernel;
  const T* const __restrict__ x = args.x.run(run) + c;
  const T* const __restrict__ y_grad = args.y_grad.run(run) + o;

  float sum = 0;
  for (int n = 0; n < shape.batch; ++n)
    for (int i = 0; i < shape.y_height; ++i)
      for (int j = 0; j < shape.y_width; ++j) {
        const int h = i * shape.stride + k - shape.padding, w = j * shape.stride + l - shape.padding;
        if (h >= 0 && h < shape.x_height && w >= 0 && w < shape.x_width)
          sum += to_float(y_grad[args.y_grad.offset(n, i, j)]) * to_float(x[args.x.offset(n, h, w)]);
      }
  args.weights_grad.run(run)[weight] = sum;
}

/// Into how many parts the pixels are cut: as many as make two waves of large tiles, of at least 512 pixels
/// each (or the second kernel would have as much to do as the first).
int splits_of(const Conv2dShape& shape) {
  constexpr int kFewestPixels = 512;
  const std::int64_t tiles = tiles_of<LargeTile>(shape.y_channels, shape.filter_elements());
  return static_cast<int>(
      std::clamp<std::int64_t>(2 * kManyBlocks / tiles, 1, std::max(1, shape.y_pixels() / kFewestPixels)));
}

/// What the launcher has found out about the arguments, and where the sums of the splits go.
struct Plan {
  PerRun<float> weights_sums;
  int splits;
  PixelOrder order;
  bool has_packs;  ///< as ProductOutput
};

/// The part of `depth` that is this block's, by blockIdx.z: whole tiles but for the last one.
__device__ DepthRange share_of_block(int depth, int tile_depth, int splits) {
  const int tiles = (depth + tile_depth - 1) / tile_depth;
  const int share = (tiles + splits - 1) / splits * tile_depth;
  // In 64 bits: the last splits of many may begin far beyond the end.
  const std::int64_t begin = std::int64_t{blockIdx.z} * share;
  return {static_cast<int>(min(begin, std::int64_t{depth})),
          static_cast<int>(min(begin + share, std::int64_t{depth}))};
}

__device__ Window window_of(const Conv2dShape& shape, PixelOrder order) {
  return {.vertical = {shape.y_height, shape.kernel, shape.stride, -shape.padding, shape.x_height},
          .horizontal = {shape.y_width, shape.kernel, shape.stride, -shape.padding, shape.x_width},
          .batch = shape.batch,
          .order = order};
}

/// v2 and v3. grid (tiles of output channels × filter elements, runs, splits). Positions at which the taps of
/// a tile meet nothing but padding are left out.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocksPerSm)
    conv2d_backward_weights_tiled(Conv2dBackwardWeightsArgs<typename Config::T> args, Plan plan) {
  using T = typename Config::T;
  const Conv2dShape& shape = args.shape;
  const TilePosition position = tile_of_block<typename Config::Shape>(shape.filter_elements());
  const std::int64_t run = blockIdx.y;

  const Window whole = window_of(shape, plan.order);
  const Window::Positions positions = whole.positions_of_tile(position.first_column, shape.x_channels);
  const Window window = whole.with_positions(positions);

  const Operand<T, PlainAxis, DigitAxis, Order::kRowsFastest> gradients{
      .data =
          args.y_grad.run(run) + args.y_grad.offset(0, positions.vertical.begin, positions.horizontal.begin),
      .rows = {shape.y_channels, 1},
      .depth = window.positions_axis(args.y_grad.strides)};
  const Operand<T, DigitAxis, DigitAxis, Order::kRowsFastest> patches{
      .data = args.x.run(run) + window.origin(args.x.strides),
      .rows = window.taps_axis(shape.x_channels, args.x.strides.h, args.x.strides.w, 1),
      .depth = window.source_axis(args.x.strides),
      .height = shape.x_height,
      .width = shape.x_width};
  const ProductOutput<float, PlainAxis> sums{
      .data = plan.weights_sums.run(run) + blockIdx.z * shape.weights(),
      .rows = {shape.y_channels, shape.filter_elements()},
      .columns = shape.filter_elements(),
      .has_packs = plan.has_packs};
  multiply_tile<Config>(gradients, patches, position,
                        share_of_block(window.positions(), kTileDepth<T>, plan.splits), sums);
}

/// grid (blocks of weights, runs): adds up the splits in order.
__global__ void __launch_bounds__(kThreads)
    conv2d_add_splits(PerRun<const float> sums_of_splits, int splits, PerRun<float> weights_grad,
                      std::int64_t weights) {
  const std::int64_t weight = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (weight >= weights) return;
  const std::int64_t run = blockIdx.y;
  const float* const __restrict__ sums = sums_of_splits.run(run) + weight;
  float sum = 0;
  for (int split = 0; split < splits; ++split) sum += sums[split * weights];
  weights_grad.run(run)[weight] = sum;
}

/// Without splits, the sums are the gradients.
template <class T>
Plan plan_of(const Conv2dBackwardWeightsArgs<T>& args, int splits) {
  const Conv2dShape& shape = args.shape;
  Plan plan{.weights_sums = args.weights_grad,
            .splits = splits,
            .order = pixel_order_of(args.x.strides, shape.y_height, shape.y_width),
            .has_packs = false};
  if (splits > 1) plan.weights_sums = {args.workspace, splits * shape.weights()};
  plan.has_packs = Alignment{}
                       .pointer(plan.weights_sums.data)
                       .template elements<float>({plan.weights_sums.run_stride, shape.filter_elements()})
                       .is_multiple_of(sizeof(Pack<float, 4>));
  return plan;
}

template <class T>
void launch_v1(const Conv2dBackwardWeightsArgs<T>& args, Stream stream) {
  launch(
      {.grid = {grid_extent(ceil_divide(args.shape.weights(), kThreads)), static_cast<unsigned>(args.runs)},
       .block = {kThreads},
       .stream = stream},
      conv2d_backward_weights_v1<T>, args);
}

template <class T, Unit unit>
void launch_tiled(const Conv2dBackwardWeightsArgs<T>& args, Stream stream) {
  const Conv2dShape& shape = args.shape;
  const auto runs = static_cast<unsigned>(args.runs);
  const Plan plan = plan_of(args, splits_of(shape));
  const auto launch_products = [&](auto config) {
    using Config = decltype(config);
    launch({.grid = {grid_extent(tiles_of<typename Config::Shape>(shape.y_channels, shape.filter_elements())),
                     runs, static_cast<unsigned>(plan.splits)},
            .block = {Config::kThreads},
            .shared_bytes = Config::template kSharedBytes<Order::kRowsFastest, Order::kRowsFastest>,
            .stream = stream},
           conv2d_backward_weights_tiled<Config>, args, plan);
  };
  const OperandAlignment operands{.a = Alignment{}.images(args.y_grad, shape.y_channels),
                                  .b = Alignment{}.images(args.x, shape.x_channels)};
  if (shape.y_channels > WideTile::kRows)
    with_vectors<T, unit, LargeTile>(operands, launch_products);
  else
    with_vectors<T, unit, WideTile>(operands, launch_products);

  if (plan.splits > 1)
    launch({.grid = {grid_extent(ceil_divide(shape.weights(), kThreads)), runs},
            .block = {kThreads},
            .stream = stream},
           conv2d_add_splits, PerRun<const float>{plan.weights_sums.data, plan.weights_sums.run_stride},
           plan.splits, args.weights_grad, shape.weights());
}

bool wants_tf32(const Conv2dBackwardWeightsArgs<float>& args) { return args.math == MathMode::kTf32; }

constexpr std::array<KernelVersion<Conv2dBackwardWeightsArgs<float>>, 3> kFloatVersions{
    {{"conv2d_backward_weights_v1", nullptr, launch_v1<float>},
     {"conv2d_backward_weights_v2", nullptr, launch_tiled<float, Unit::kFfma>},
     {"conv2d_backward_weights_v3", wants_tf32, launch_tiled<float, Unit::kTensorCore>}}};
constexpr std::array<KernelVersion<Conv2dBackwardWeightsArgs<Bf16>>, 2> kBf16Versions{
    {{"conv2d_backward_weights_v1", nullptr, launch_v1<Bf16>},
     {"conv2d_backward_weights_v3", nullptr, launch_tiled<Bf16, Unit::kTensorCore>}}};

}  // namespace

template <class T>
std::size_t conv2d_backward_weights_workspace(const Conv2dBackwardWeightsArgs<T>& args) {
  const int splits = splits_of(args.shape);
  if (splits == 1) return 0;
  return static_cast<std::size_t>(args.runs * splits * args.shape.weights()) * sizeof(float);
}
template std::size_t conv2d_backward_weights_workspace(const Conv2dBackwardWeightsArgs<float>&);
template std::size_t conv2d_backward_weights_workspace(const Conv2dBackwardWeightsArgs<Bf16>&);

template <>
std::span<const KernelVersion<Conv2dBackwardWeightsArgs<float>>> conv2d_backward_weights_versions() {
  return kFloatVersions;
}
template <>
std::span<const KernelVersion<Conv2dBackwardWeightsArgs<Bf16>>> conv2d_backward_weights_versions() {
  return kBf16Versions;
}

template <class T>
void conv2d_backward_weights(const Conv2dBackwardWeightsArgs<T>& args, Stream stream) {
  launch_newest(conv2d_backward_weights_versions<T>(), args, stream);
}
template void conv2d_backward_weights(const Conv2dBackwardWeightsArgs<float>&, Stream);
template void conv2d_backward_weights(const Conv2dBackwardWeightsArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
