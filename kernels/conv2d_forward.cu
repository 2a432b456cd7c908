/// Convolution, forward: y[pixel, o] = bias[o] + Σ_depth x(pixel, depth) · weights[o, depth], an implicit
/// matrix product whose depth runs over the filter in memory: k, l, c. The patches x(pixel, depth) are
/// gathered into shared memory by each block and never stored; taps that fall on padding at all pixels of a
/// block are left out. Cost: 2·pixels·y_channels·filter floating-point operations less those. Statistics of y
/// for a batch norm behind it are begun by the blocks that have y in registers, and put together by the last
/// of them (kernels/tile_tree.cuh): y, of which they are, is not read again. v1 one thread per output · v2
/// tiles in shared memory, FFMA · v3 the same on tensor cores
#include <array>

#include "kernels/conv2d.h"
#include "kernels/conv2d_window.cuh"
#include "kernels/grid.h"
#include "kernels/implicit_gemm.cuh"
#include "kernels/implicit_gemm_moments.cuh"
#include "kernels/newest.h"
#include "kernels/simt.h"
#include "kernels/tile_tree.cuh"

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

/// What the launcher has found out about the arguments.
struct Plan {
  PixelOrder order;
  bool has_packs;  ///< as ProductOutput
  TileTree tree;   ///< of the statistics
};

/// Puts the moments of the tiles together, and makes the statistics of them.
template <class Shape>
__device__ void finish_statistics(const Conv2dStatistics& statistics, const TileTree& tree,
                                  TilePosition position, int pixels) {
  const auto rows_of_tile = [pixels](int tile) {
    return static_cast<double>(min(Shape::kRows, pixels - tile * Shape::kRows));
  };
  finish_columns<Shape::kColumns, MomentsOfTiles>(
      tree, position.first_row / Shape::kRows, position.first_column, static_cast<int>(threadIdx.x),
      rows_of_tile, [&](int channel, ColumnPair moments) {
        const std::int64_t run = blockIdx.y;
        const double variance = moments.second / static_cast<double>(pixels);
        statistics.mean.run(run)[channel] = static_cast<float>(moments.first);
        statistics.variance.run(run)[channel] = static_cast<float>(variance);
        statistics.invstd.run(run)[channel] =
            static_cast<float>(1 / sqrt(variance + double{statistics.epsilon}));
      });
}

/// v2 and v3. grid (tiles of pixels × output channels, runs).
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocksPerSm)
    conv2d_forward_tiled(Conv2dForwardArgs<typename Config::T> args, Plan plan) {
  using T = typename Config::T;
  const Conv2dShape& shape = args.shape;
  const TilePosition position = tile_of_block<typename Config::Shape>(shape.y_channels);
  const std::int64_t run = blockIdx.y;

  const Window whole{.vertical = {shape.y_height, shape.kernel, shape.stride, -shape.padding, shape.x_height},
                     .horizontal = {shape.y_width, shape.kernel, shape.stride, -shape.padding, shape.x_width},
                     .batch = shape.batch,
                     .order = plan.order};
  const Window::Taps taps = whole.taps_of_tile(position.first_row);
  const Window window = whole.with_taps(taps);
  const int channels = shape.x_channels;
  const std::int64_t weights_row = std::int64_t{shape.kernel} * channels;

  const Operand<T, DigitAxis, DigitAxis, Order::kDepthFastest> patches{
      .data = args.x.run(run) + window.origin(args.x.strides),
      .rows = window.source_axis(args.x.strides),
      .depth = window.taps_axis(channels, args.x.strides.h, args.x.strides.w, 1),
      .height = shape.x_height,
      .width = shape.x_width};
  const Operand<T, PlainAxis, DigitAxis, Order::kDepthFastest> filters{
      .data = args.weights.run(run) + taps.vertical.begin * weights_row +
              std::int64_t{taps.horizontal.begin} * channels,
      .rows = {shape.y_channels, shape.filter_elements()},
      .depth = window.taps_axis(channels, weights_row, channels, 1)};
  const ProductOutput<T, DigitAxis> y{.data = args.y.run(run),
                                      .rows = window.positions_axis(args.y.strides),
                                      .columns = shape.y_channels,
                                      .bias = args.bias.data == nullptr ? nullptr : args.bias.run(run),
                                      .has_packs = plan.has_packs};
  multiply_tile<Config>(patches, filters, position, {0, patches.depth.size}, y, [&](const auto& sums) {
    if (args.statistics.mean.data == nullptr) return;
    using Shape = typename Config::Shape;
    store_column_moments<Shape>(sums, y, position,
                                plan.tree.partial(blockIdx.y, position.first_row / Shape::kRows));
    finish_statistics<Shape>(args.statistics, plan.tree, position, shape.y_pixels());
  });
}

template <class T, Unit unit>
void launch_tiled(const Conv2dForwardArgs<T>& args, Stream stream) {
  const Conv2dShape& shape = args.shape;
  const int pixels = shape.y_pixels();
  if (pixels == 0) return;  // an empty grid is a launch error
  Plan plan{.order = pixel_order_of(args.x.strides, shape.y_height, shape.y_width),
            .has_packs = Alignment{}.images(args.y, shape.y_channels).is_multiple_of(sizeof(Pack<T, 4>)),
            .tree = {}};
  const OperandAlignment operands{
      .a = Alignment{}.images(args.x, shape.x_channels),
      .b = Alignment{}
               .pointer(args.weights.data)
               .template elements<T>({args.weights.run_stride, shape.x_channels})};
  with_tile<T, unit>(operands, pixels, shape.y_channels, [&](auto config) {
    using Config = decltype(config);
    if (args.statistics.mean.data != nullptr)
      plan.tree = tile_tree(ceil_divide(pixels, Config::Shape::kRows), shape.y_channels, args.runs,
                            args.statistics.workspace, args.statistics.tickets);
    launch({.grid = {grid_extent(tiles_of<typename Config::Shape>(pixels, shape.y_channels)),
                     static_cast<unsigned>(args.runs)},
            .block = {Config::kThreads},
            .shared_bytes = Config::template kSharedBytes<Order::kDepthFastest, Order::kDepthFastest>,
            .stream = stream},
           conv2d_forward_tiled<Config>, args, plan);
  });
}

template <class T>
bool wants_no_statistics(const Conv2dForwardArgs<T>& args) {
  return args.statistics.mean.data == nullptr;
}

bool wants_tf32(const Conv2dForwardArgs<float>& args) { return args.math == MathMode::kTf32; }

constexpr std::array<KernelVersion<Conv2dForwardArgs<float>>, 3> kFloatVersions{
    {{"conv2d_forward_v1", wants_no_statistics<float>, launch_v1<float>},
     {"conv2d_forward_v2", nullptr, launch_tiled<float, Unit::kFfma>},
     {"conv2d_forward_v3", wants_tf32, launch_tiled<float, Unit::kTensorCore>}}};
constexpr std::array<KernelVersion<Conv2dForwardArgs<Bf16>>, 2> kBf16Versions{
    {{"conv2d_forward_v1", wants_no_statistics<Bf16>, launch_v1<Bf16>},
     {"conv2d_forward_v3", nullptr, launch_tiled<Bf16, Unit::kTensorCore>}}};

}  // namespace

template <>
std::span<const KernelVersion<Conv2dForwardArgs<float>>> conv2d_forward_versions() {
  return kFloatVersions;
}
template <>
std::span<const KernelVersion<Conv2dForwardArgs<Bf16>>> conv2d_forward_versions() {
  return kBf16Versions;
}

// Of other tiles there are fewer.
std::size_t conv2d_statistics_workspace(const Conv2dShape& shape, int runs) {
  return tile_tree_workspace(ceil_divide(shape.y_pixels(), SmallTile::kRows), shape.y_channels, runs);
}
int conv2d_statistics_tickets(const Conv2dShape& shape, int runs) {
  return tile_tree_tickets(ceil_divide(shape.y_pixels(), SmallTile::kRows), shape.y_channels,
                           SmallTile::kColumns, runs);
}

template <class T>
void conv2d_forward(const Conv2dForwardArgs<T>& args, Stream stream) {
  launch_newest(conv2d_forward_versions<T>(), args, stream);
}
template void conv2d_forward(const Conv2dForwardArgs<float>&, Stream);
template void conv2d_forward(const Conv2dForwardArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
