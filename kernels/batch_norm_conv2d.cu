/// Batch normalisation and the convolution behind it, backward: the gradient between the two, g'[pixel, c] =
/// Σ_depth y_grad(pixel, depth) · weights(depth, c), is a tile of an implicit matrix product
/// (kernels/conv2d_input_gradient.cuh), and never leaves the block. From shared memory, where threads meet it
/// in rows, as x and x_grad lie, it is masked as g = g'·[ŷ > 0]; then slope·g is added to x_grad, or
/// overwrites it, and Σg and Σg·(x − mean) over the tile's rows go to a workspace, from which the last blocks
/// (kernels/tile_tree.cuh) make the gradients of scale and shift and the deferred terms. x is read
/// once; x_grad is written once, and read before where it is added to; g' is neither written nor read. v1
/// tiles in shared memory, FFMA · v2 the same on tensor cores
///
/// Accuracy, beside that of the product: batch_norm_conv2d.cuh. Tiles are added in double.
#include "kernels/batch_norm_conv2d.h"

#include <algorithm>
#include <array>

#include "kernels/batch_norm.cuh"
#include "kernels/batch_norm_conv2d.cuh"
#include "kernels/batch_norm_shared.cuh"
#include "kernels/conv2d_input_gradient.cuh"
#include "kernels/grid.h"
#include "kernels/implicit_gemm.cuh"
#include "kernels/newest.h"
#include "kernels/pack.cuh"
#include "kernels/simt.h"
#include "kernels/tile_tree.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

/// What the launcher has found out about the arguments.
struct Plan {
  InputGradientPlan product;
  bool has_packs;  ///< whether packs of kTilePack channels lie so in x and x_grad
  TileTree tree;   ///< of the sums
};

/// Adds the tile's part of the gradient to x_grad; the result is the sums of the thread's share of it.
template <class Shape, class T>
__device__ GradientSums<kTilePack> add_gradient(const BatchNormConv2dBackwardArgs<T>& args,
                                                const Window& window, TilePosition position,
                                                const StagedTile<Shape>& tile, const ChannelPack& channels,
                                                const ThreadInColumns<Shape>& thread) {
  const BatchNormSharedBackwardArgs<T>& norm = args.norm;
  const std::int64_t run = blockIdx.y;
  const DigitAxis axis = window.positions_axis(args.rows);
  const Affine<kTilePack> affine = channels.affine(norm, run);
  const bool accumulates = args.x_grad_mode == GradientMode::kAccumulate;
  const bool is_cut_off = norm.activation == Activation::kRelu;
  const T* const x = norm.x + run * norm.x_run_stride + channels.first;
  T* const x_grad = norm.x_grad + run * norm.x_grad_run_stride + channels.first;
  const int rows = min(Shape::kRows, axis.size - position.first_row);

  GradientSums<kTilePack> sums{};
  auto cursor = axis.at(position.first_row + thread.lane);
  const auto step = axis.step(kTileLanes);
  for (int first = thread.lane; first < rows; first += kTileLanes * kTileRowsAtOnce) {
    Floats<kTilePack> values[kTileRowsAtOnce], results[kTileRowsAtOnce];
    T* to[kTileRowsAtOnce];
#pragma unroll
    for (int j = 0; j < kTileRowsAtOnce; ++j) {
      if (first + j * kTileLanes >= rows) break;
      const std::int64_t row = axis.place(cursor).offset;
      to[j] = x_grad + row * norm.x_grad_pitch;
      values[j] = channels.load(x + row * norm.x_pitch);
      results[j] = accumulates ? channels.load(to[j]) : Floats<kTilePack>{};
      axis.advance(cursor, step);
    }
#pragma unroll
    for (int j = 0; j < kTileRowsAtOnce; ++j) {
      const int row = first + j * kTileLanes;
      if (row >= rows) break;
      const Floats<kTilePack> gradients = load_floats<kTilePack>(tile.row(row).data + thread.column);
#pragma unroll
      for (int i = 0; i < kTilePack; ++i) {
        const float value = values[j][i];
        const float gradient = is_cut_off && !(affine(i, value) > 0.0f) ? 0.0f : gradients[i];
        sums.add(i, gradient, value - affine.mean[i]);
        results[j][i] = fmaf(affine.slope[i], gradient, results[j][i]);
      }
      channels.store(results[j], to[j]);
    }
  }
  return sums;
}

/// v1 and v2. grid (tiles of pixels × channels of x, runs).
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocksPerSm)
    batch_norm_conv2d_backward_tiled(BatchNormConv2dBackwardArgs<typename Config::T> args, Plan plan) {
  using T = typename Config::T;
  using Shape = typename Config::Shape;
  const Conv2dShape& shape = args.shape;
  const TilePosition position = tile_of_block<Shape>(shape.x_channels);
  const Phase vertical(0, shape.x_height, shape.y_height, shape);  // of stride 1 there is one
  const Phase horizontal(0, shape.x_width, shape.y_width, shape);
  const auto multiply = [&](const auto& patches, const auto& filters, DepthRange depths,
                            const Window& window) {
    sum_tile<Config>(patches, filters, position, depths, [&](const auto& sums) {
      const StagedTile<Shape> tile{dynamic_shared<float>()};
      __syncthreads();  // all have multiplied: the stages are free
      sums.store(tile, 0, 0);
      __syncthreads();
      const ThreadInColumns<Shape> thread;
      const int first = position.first_column + thread.column;
      const int count = min(kTilePack, shape.x_channels - first);
      GradientSums<kTilePack> gradient_sums{};
      if (count > 0)
        gradient_sums = add_gradient(args, window, position, tile,
                                     {first, count, plan.has_packs && count == kTilePack}, thread);
      __syncthreads();  // all have read the tile
      const int of_rows = position.first_row / Shape::kRows;
      store_sums_of_tile(gradient_sums, thread, position.first_column, shape.x_channels, tile.data,
                         plan.tree.partial(blockIdx.y, of_rows));
      finish_columns<Shape::kColumns, SumOfTiles>(
          plan.tree, of_rows, position.first_column, static_cast<int>(threadIdx.x), NoRows(),
          [&](int channel, ColumnPair totals) { store_shared_gradients(args.norm, channel, totals); });
    });
  };
  with_input_gradient<T>(args, plan.product, vertical, horizontal, position.first_row, blockIdx.y, multiply);
}

template <class T, Unit unit>
void launch_tiled(const BatchNormConv2dBackwardArgs<T>& args, Stream stream) {
  const Conv2dShape& shape = args.shape;
  const BatchNormSharedBackwardArgs<T>& norm = args.norm;
  const int pixels = shape.x_pixels();
  if (pixels == 0) return;  // an empty grid is a launch error
  Plan plan{.product = plan_input_gradient(args, shape.x_height, shape.x_width),
            .has_packs = holds_packs<kTilePack>(norm.x, {norm.x_run_stride, norm.x_pitch}) &&
                         holds_packs<kTilePack>(norm.x_grad, {norm.x_grad_run_stride, norm.x_grad_pitch}),
            .tree = {}};
  with_tile<T, unit>(alignment_of_input_gradient<T>(args), pixels, shape.x_channels, [&](auto config) {
    using Config = decltype(config);
    using Shape = typename Config::Shape;
    constexpr std::size_t kStages = Config::template kSharedBytes<Order::kDepthFastest, Order::kRowsFastest>;
    plan.tree = tile_tree(ceil_divide(pixels, Shape::kRows), shape.x_channels, norm.extents.runs,
                          norm.workspace, norm.tickets);
    launch({.grid = {grid_extent(tiles_of<Shape>(pixels, shape.x_channels)),
                     static_cast<unsigned>(norm.extents.runs)},
            .block = {Config::kThreads},
            .shared_bytes = std::max(kStages, StagedTile<Shape>::kBytes),
            .stream = stream},
           batch_norm_conv2d_backward_tiled<Config>, args, plan);
  });
}

bool wants_tf32(const BatchNormConv2dBackwardArgs<float>& args) { return args.math == MathMode::kTf32; }

constexpr std::array<KernelVersion<BatchNormConv2dBackwardArgs<float>>, 2> kFloatVersions{
    {{"batch_norm_conv2d_backward_v1", nullptr, launch_tiled<float, Unit::kFfma>},
     {"batch_norm_conv2d_backward_v2", wants_tf32, launch_tiled<float, Unit::kTensorCore>}}};
constexpr std::array<KernelVersion<BatchNormConv2dBackwardArgs<Bf16>>, 1> kBf16Versions{
    {{"batch_norm_conv2d_backward_v2", nullptr, launch_tiled<Bf16, Unit::kTensorCore>}}};

}  // namespace

template <>
std::span<const KernelVersion<BatchNormConv2dBackwardArgs<float>>> batch_norm_conv2d_backward_versions() {
  return kFloatVersions;
}
template <>
std::span<const KernelVersion<BatchNormConv2dBackwardArgs<Bf16>>> batch_norm_conv2d_backward_versions() {
  return kBf16Versions;
}

// Of other tiles there are fewer.
std::size_t batch_norm_conv2d_workspace(const Conv2dShape& shape, int runs) {
  return tile_tree_workspace(ceil_divide(shape.x_pixels(), SmallTile::kRows), shape.x_channels, runs);
}
int batch_norm_conv2d_tickets(const Conv2dShape& shape, int runs) {
  return tile_tree_tickets(ceil_divide(shape.x_pixels(), SmallTile::kRows), shape.x_channels,
                           SmallTile::kColumns, runs);
}

template <class T>
void batch_norm_conv2d_backward(const BatchNormConv2dBackwardArgs<T>& args, Stream stream) {
  launch_newest(batch_norm_conv2d_backward_versions<T>(), args, stream);
}
template void batch_norm_conv2d_backward(const BatchNormConv2dBackwardArgs<float>&, Stream);
template void batch_norm_conv2d_backward(const BatchNormConv2dBackwardArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
