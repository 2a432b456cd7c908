/// The end of a residual block, z = ReLU(norm(x) + addend), and the convolution behind it, backward: the
/// convolution's part of the gradient of z is a tile of an implicit matrix product
/// (kernels/conv2d_input_gradient.cuh), which never leaves the block. From shared memory
/// (kernels/batch_norm_conv2d.cuh) what z's other consumers gave is added to it, it is masked as
/// g = G·[z > 0] and written, rounded, and Σg and Σg·(x − mean) over the tile's rows go to a workspace, which
/// the last blocks make the gradients of scale and shift of (kernels/tile_tree.cuh). The last kernel is
/// batch_norm_backward's: x_grad from x and g. x is read twice, z and the others' gradient once, g is written
/// and read once, x_grad written once. v1 tiles in shared memory, FFMA · v2 the same on tensor cores
///
/// Each phase of the stride (kernels/conv2d_input_gradient.cuh) has tiles of its own among the sums.
#include "kernels/batch_norm_sum_conv2d.h"

#include <algorithm>
#include <array>

#include "kernels/batch_norm.cuh"
#include "kernels/batch_norm_conv2d.cuh"
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

/// Rows that a thread has loaded before it computes with the first. Of three images: with 4 the small tiles
/// would have more than 128 registers, and a multiprocessor one block less.
constexpr int kRowsAtOnce = 2;

/// What the launcher has found out about the arguments.
struct Plan {
  InputGradientPlan product;
  bool has_packs;      ///< whether packs of kTilePack channels lie so in all images but y_grad
  int tiles_of_phase;  ///< down the rows of the largest
  TileTree tree;       ///< of the sums, by phase
};

/// Phases across and down, for launcher and kernel alike.
__host__ __device__ inline int phases_of(int extent, int stride) { return extent < stride ? extent : stride; }

/// A pixel of a phase, of which the axis says where it lies: what others gave there, if anything.
template <class T>
struct OthersGradient {
  const T* data;
  ImageStrides strides;
  int stride;

  __device__ const T* at(int n, const Place& place) const {
    const int h = place.i / stride, w = place.j / stride;
    if (h * stride != place.i || w * stride != place.j) return nullptr;
    return data + n * strides.n + h * strides.h + w * strides.w;
  }
};

/// The pixels of a phase: where they lie, in rows of the matrices, and where in the image they are.
struct PhasePixels {
  DigitAxis axis;
  std::int64_t first_row;  ///< of the matrices, of the first pixel
  PixelOrder order;

  __device__ PhasePixels(const Window& window, const Phase& vertical, const Phase& horizontal,
                         const ImageStrides& rows, int stride)
      : axis(window.positions_axis({rows.n, rows.h * stride, rows.w * stride})),
        first_row(vertical.remainder * rows.h + horizontal.remainder * rows.w),
        order(window.order) {
    axis.scale = stride;
    axis.shift_i = vertical.remainder;
    axis.shift_j = horizontal.remainder;
  }
  __device__ int image_of(const DigitAxis::Cursor& cursor) const {
    return order == PixelOrder::kPixelByPixel ? cursor.c : cursor.a;
  }
};

/// Writes g of the tile that begins at `first_row` of the phase; the result is the sums of the thread's share
/// of it.
template <class Shape, class T>
__device__ GradientSums<kTilePack> mask_gradient(const BatchNormSumConv2dBackwardArgs<T>& args,
                                                 const PhasePixels& pixels, int first_row,
                                                 const StagedTile<Shape>& tile, const ChannelPack& channels,
                                                 const ThreadInColumns<Shape>& thread) {
  const BatchNormBackwardArgs<T>& norm = args.norm;
  const std::int64_t run = blockIdx.y;
  const OthersGradient<T> others{args.others_grad.run(run) + channels.first, args.others_grad.strides,
                                 args.others_stride};
  const T* const x = norm.x + run * norm.x_run_stride + channels.first;
  const T* const z = norm.y + run * norm.y_run_stride + channels.first;
  T* const addend_grad = norm.addend_grad + run * norm.addend_grad_run_stride + channels.first;
  const std::int64_t pitch = norm.extents.channels;
  Floats<kTilePack> mean{};
  for (int i = 0; i < kTilePack; ++i)
    if (i < channels.count) mean[i] = norm.mean[run * norm.mean_run_stride + channels.first + i];
  const int rows = min(Shape::kRows, pixels.axis.size - first_row);

  GradientSums<kTilePack> sums{};
  auto cursor = pixels.axis.at(first_row + thread.lane);
  const auto step = pixels.axis.step(kTileLanes);
  for (int first = thread.lane; first < rows; first += kTileLanes * kRowsAtOnce) {
    Floats<kTilePack> values[kRowsAtOnce], outputs[kRowsAtOnce], gradients[kRowsAtOnce];
    int places[kRowsAtOnce];  // of addend_grad: rows of the matrices
#pragma unroll
    for (int j = 0; j < kRowsAtOnce; ++j) {
      if (first + j * kTileLanes >= rows) break;
      const Place place = pixels.axis.place(cursor);
      places[j] = static_cast<int>(pixels.first_row + place.offset);
      const std::int64_t row = places[j];
      const T* const given = others.at(pixels.image_of(cursor), place);
      values[j] = channels.load(x + row * norm.x_pitch);
      outputs[j] = channels.load(z + row * pitch);
      gradients[j] = given != nullptr ? channels.load(given) : Floats<kTilePack>{};
      pixels.axis.advance(cursor, step);
    }
#pragma unroll
    for (int j = 0; j < kRowsAtOnce; ++j) {
      const int row = first + j * kTileLanes;
      if (row >= rows) break;
      const Floats<kTilePack> of_convolution = load_floats<kTilePack>(tile.row(row).data + thread.column);
#pragma unroll
      for (int i = 0; i < kTilePack; ++i) {
        // Rounded as it is stored, and as the last kernel reads it.
        const float sum = to_float(from_float<T>(of_convolution[i] + gradients[j][i]));
        gradients[j][i] = outputs[j][i] > 0.0f ? sum : 0.0f;
        sums.add(i, gradients[j][i], values[j][i] - mean[i]);
      }
      channels.store(gradients[j], addend_grad + places[j] * pitch);
    }
  }
  return sums;
}

/// v1 and v2. grid (tiles of pixels of the largest phase × channels of z, runs, phases).
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocksPerSm)
    batch_norm_sum_conv2d_backward_tiled(BatchNormSumConv2dBackwardArgs<typename Config::T> args, Plan plan) {
  using T = typename Config::T;
  using Shape = typename Config::Shape;
  const Conv2dShape& shape = args.shape;
  const TilePosition position = tile_of_block<Shape>(shape.x_channels);
  const int phases_across = phases_of(shape.x_width, shape.stride), phase = static_cast<int>(blockIdx.z);
  const Phase vertical(phase / phases_across, shape.x_height, shape.y_height, shape);
  const Phase horizontal(phase % phases_across, shape.x_width, shape.y_width, shape);
  // Not kept over the multiplication, which has no register to spare.
  const auto tile_of_tree = [&] {
    return static_cast<int>(blockIdx.z) * plan.tiles_of_phase + position.first_row / Shape::kRows;
  };
  const auto finish = [&] {
    finish_columns<Shape::kColumns, SumOfTiles>(
        plan.tree, tile_of_tree(), position.first_column, static_cast<int>(threadIdx.x), NoRows(),
        [&](int channel, ColumnPair totals) {
          store_gradients(args.norm, end_of(plan.tree, args.norm.extents.runs), channel, totals);
        });
  };
  if (position.first_row >= shape.batch * vertical.window.positions * horizontal.window.positions) {
    // The grid has room for the largest phase.
    const int columns = min(Shape::kColumns, shape.x_channels - position.first_column);
    float* const partial = plan.tree.partial(blockIdx.y, tile_of_tree());
    for (int i = static_cast<int>(threadIdx.x); i < 2 * columns; i += Shape::kThreads)
      partial[i / columns * shape.x_channels + position.first_column + i % columns] = 0;
    return finish();
  }
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
      if (count > 0) {
        const PhasePixels pixels(window, vertical, horizontal, args.rows, shape.stride);
        gradient_sums = mask_gradient(args, pixels, position.first_row, tile,
                                      {first, count, plan.has_packs && count == kTilePack}, thread);
      }
      __syncthreads();  // all have read the tile
      store_sums_of_tile(gradient_sums, thread, position.first_column, shape.x_channels, tile.data,
                         plan.tree.partial(blockIdx.y, tile_of_tree()));
      finish();
    });
  };
  with_input_gradient<T>(args, plan.product, vertical, horizontal, position.first_row, blockIdx.y, multiply);
}

template <class T, Unit unit>
void launch_tiled(const BatchNormSumConv2dBackwardArgs<T>& args, Stream stream) {
  const Conv2dShape& shape = args.shape;
  const BatchNormBackwardArgs<T>& norm = args.norm;
  if (shape.x_pixels() == 0) return;  // an empty grid is a launch error
  const int height = static_cast<int>(ceil_divide(shape.x_height, shape.stride));  // of the largest phase
  const int width = static_cast<int>(ceil_divide(shape.x_width, shape.stride));
  const int phases = phases_of(shape.x_height, shape.stride) * phases_of(shape.x_width, shape.stride);
  const ImageStrides& others = args.others_grad.strides;
  constexpr int kPack = kTilePack;
  Plan plan{.product = plan_input_gradient(args, height, width),
            .has_packs = holds_packs<kPack>(norm.x, {norm.x_run_stride, norm.x_pitch}) &&
                         holds_packs<kPack>(norm.y, {norm.y_run_stride, norm.extents.channels}) &&
                         holds_packs<kPack>(norm.addend_grad, {norm.addend_grad_run_stride}) &&
                         holds_packs<kPack>(args.others_grad.data,
                                            {args.others_grad.run_stride, others.n, others.h, others.w}),
            .tiles_of_phase = 0,
            .tree = {}};
  with_tile<T, unit>(
      alignment_of_input_gradient<T>(args), shape.x_pixels(), shape.x_channels, [&](auto config) {
        using Config = decltype(config);
        using Shape = typename Config::Shape;
        constexpr std::size_t kStages =
            Config::template kSharedBytes<Order::kDepthFastest, Order::kRowsFastest>;
        const std::int64_t positions = std::int64_t{shape.batch} * height * width;
        plan.tiles_of_phase = static_cast<int>(ceil_divide(positions, Shape::kRows));
        plan.tree = tile_tree(std::int64_t{phases} * plan.tiles_of_phase, shape.x_channels, norm.extents.runs,
                              norm.workspace, norm.tickets);
        launch({.grid = {grid_extent(tiles_of<Shape>(positions, shape.x_channels)),
                         static_cast<unsigned>(norm.extents.runs), static_cast<unsigned>(phases)},
                .block = {Config::kThreads},
                .shared_bytes = std::max(kStages, StagedTile<Shape>::kBytes),
                .stream = stream},
               batch_norm_sum_conv2d_backward_tiled<Config>, args, plan);
        batch_norm_finish_backward(norm, end_of(plan.tree, norm.extents.runs), stream);
      });
}

/// Of the smallest kind, of all phases.
std::int64_t most_tiles(const Conv2dShape& shape) {
  const std::int64_t phases =
      phases_of(shape.x_height, shape.stride) * phases_of(shape.x_width, shape.stride);
  const std::int64_t positions = ceil_divide(shape.x_height, shape.stride) *
                                 ceil_divide(shape.x_width, shape.stride) * std::int64_t{shape.batch};
  return phases * ceil_divide(positions, SmallTile::kRows);
}

bool wants_tf32(const BatchNormSumConv2dBackwardArgs<float>& args) { return args.math == MathMode::kTf32; }

constexpr std::array<KernelVersion<BatchNormSumConv2dBackwardArgs<float>>, 2> kFloatVersions{
    {{"batch_norm_sum_conv2d_backward_v1", nullptr, launch_tiled<float, Unit::kFfma>},
     {"batch_norm_sum_conv2d_backward_v2", wants_tf32, launch_tiled<float, Unit::kTensorCore>}}};
constexpr std::array<KernelVersion<BatchNormSumConv2dBackwardArgs<Bf16>>, 1> kBf16Versions{
    {{"batch_norm_sum_conv2d_backward_v2", nullptr, launch_tiled<Bf16, Unit::kTensorCore>}}};

}  // namespace

template <>
std::span<const KernelVersion<BatchNormSumConv2dBackwardArgs<float>>>
batch_norm_sum_conv2d_backward_versions() {
  return kFloatVersions;
}
template <>
std::span<const KernelVersion<BatchNormSumConv2dBackwardArgs<Bf16>>>
batch_norm_sum_conv2d_backward_versions() {
  return kBf16Versions;
}

std::size_t batch_norm_sum_conv2d_workspace(const Conv2dShape& shape, int runs) {
  const std::size_t coefficients = sizeof(float) * 2 * static_cast<std::size_t>(runs) * shape.x_channels;
  return tile_tree_workspace(most_tiles(shape), shape.x_channels, runs) + coefficients;
}
int batch_norm_sum_conv2d_tickets(const Conv2dShape& shape, int runs) {
  return tile_tree_tickets(most_tiles(shape), shape.x_channels, SmallTile::kColumns, runs);
}

template <class T>
void batch_norm_sum_conv2d_backward(const BatchNormSumConv2dBackwardArgs<T>& args, Stream stream) {
  launch_newest(batch_norm_sum_conv2d_backward_versions<T>(), args, stream);
}
template void batch_norm_sum_conv2d_backward(const BatchNormSumConv2dBackwardArgs<float>&, Stream);
template void batch_norm_sum_conv2d_backward(const BatchNormSumConv2dBackwardArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
