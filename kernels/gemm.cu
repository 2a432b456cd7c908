/// General matrix product, c = op(a)·op(b).
/// The tile loop of the convolutions on plain matrices; a transposed matrix is read as it lies, and turned on
/// the way from shared memory to registers. Cost: 2·rows·columns·depth floating-point operations. v1 one
/// thread per element of the product · v2 tiles in shared memory, FFMA · v3 the same on tensor cores (TF32)
/// gemm_bf16, operands in bfloat16: v1 as v1 · v2 as v3
#include "kernels/gemm.h"

#include <array>

#include "kernels/grid.h"
#include "kernels/implicit_gemm.cuh"
#include "kernels/newest.h"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kThreads = 256;

/// grid (blocks of elements of c, runs).
template <class T>
__global__ void __launch_bounds__(kThreads) gemm_v1(GemmArgsOf<T> args) {
  const std::int64_t element = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (element >= std::int64_t{args.rows} * args.columns) return;
  const std::int64_t run = blockIdx.y, row = element / args.columns, column = element % args.columns;
  const bool a_is_transposed = args.a_order == MatrixOrder::kTransposed;
  const bool b_is_transposed = args.b_order == MatrixOrder::kTransposed;
  const T* __restrict__ a = args.a.run(run) + row * (a_is_transposed ? 1 : args.a.row_stride);
  const T* __restrict__ b = args.b.run(run) + column * (b_is_transposed ? args.b.row_stride : 1);
  const std::int64_t a_step = a_is_transposed ? args.a.row_stride : 1;
  const std::int64_t b_step = b_is_transposed ? 1 : args.b.row_stride;
  float sum = 0;
  for (int k = 0; k < args.depth; ++k, a += a_step, b += b_step) sum += to_float(*a) * to_float(*b);
  args.c.run(run)[row * args.c.row_stride + column] = sum;
}

template <class T>
void launch_v1(const GemmArgsOf<T>& args, Stream stream) {
  const std::int64_t elements = std::int64_t{args.rows} * args.columns;
  if (elements == 0) return;  // an empty grid is a launch error
  launch({.grid = {grid_extent(ceil_divide(elements, kThreads)), static_cast<unsigned>(args.runs)},
          .block = {kThreads},
          .stream = stream},
         gemm_v1<T>, args);
}

/// The rungs with tiles. grid (tiles of c, runs). The orders are those of a [rows,depth] and b
/// [columns,depth] in memory.
template <class Config, Order a_order, Order b_order>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocksPerSm)
    gemm_tiled(GemmArgsOf<typename Config::T> args, bool has_packs) {
  using T = typename Config::T;
  const TilePosition position = tile_of_block<typename Config::Shape>(args.columns);
  const std::int64_t run = blockIdx.y;
  constexpr bool kAIsByRows = a_order == Order::kDepthFastest,
                 kBIsByColumns = b_order == Order::kDepthFastest;
  const Operand<T, PlainAxis, PlainAxis, a_order> a{
      .data = args.a.run(run),
      .rows = {args.rows, kAIsByRows ? args.a.row_stride : 1},
      .depth = {args.depth, kAIsByRows ? 1 : args.a.row_stride}};
  const Operand<T, PlainAxis, PlainAxis, b_order> b{
      .data = args.b.run(run),
      .rows = {args.columns, kBIsByColumns ? args.b.row_stride : 1},
      .depth = {args.depth, kBIsByColumns ? 1 : args.b.row_stride}};
  const ProductOutput<float, PlainAxis> c{.data = args.c.run(run),
                                          .rows = {args.rows, args.c.row_stride},
                                          .columns = args.columns,
                                          .has_packs = has_packs};
  multiply_tile<Config>(a, b, position, {0, args.depth}, c);
}

template <Unit unit, Order a_order, Order b_order, class T>
void launch_ordered(const GemmArgsOf<T>& args, Stream stream) {
  if (args.rows == 0 || args.columns == 0) return;  // an empty grid is a launch error
  const auto alignment_of = []<class Element>(const Matrix<Element>& matrix, int neighbours) {
    return Alignment{}
        .pointer(matrix.data)
        .template elements<Element>({matrix.run_stride, matrix.row_stride, neighbours});
  };
  const OperandAlignment operands{
      .a = alignment_of(args.a, a_order == Order::kDepthFastest ? args.depth : args.rows),
      .b = alignment_of(args.b, b_order == Order::kDepthFastest ? args.depth : args.columns)};
  const bool has_packs = alignment_of(args.c, args.columns).is_multiple_of(sizeof(Pack<float, 4>));
  with_tile<T, unit>(operands, args.rows, args.columns, [&](auto config) {
    using Config = decltype(config);
    launch({.grid = {grid_extent(tiles_of<typename Config::Shape>(args.rows, args.columns)),
                     static_cast<unsigned>(args.runs)},
            .block = {Config::kThreads},
            .shared_bytes = Config::template kSharedBytes<a_order, b_order>,
            .stream = stream},
           gemm_tiled<Config, a_order, b_order>, args, has_packs);
  });
}

template <Unit unit, class T>
void launch_tiled(const GemmArgsOf<T>& args, Stream stream) {
  constexpr Order kDepth = Order::kDepthFastest, kRows = Order::kRowsFastest;
  const bool a_is_by_rows = args.a_order == MatrixOrder::kAsIs;
  const bool b_is_by_columns = args.b_order == MatrixOrder::kTransposed;
  if (a_is_by_rows && b_is_by_columns)
    launch_ordered<unit, kDepth, kDepth>(args, stream);
  else if (a_is_by_rows)
    launch_ordered<unit, kDepth, kRows>(args, stream);
  else if (b_is_by_columns)
    launch_ordered<unit, kRows, kDepth>(args, stream);
  else
    launch_ordered<unit, kRows, kRows>(args, stream);
}

bool wants_tf32(const GemmArgs& args) { return args.math == MathMode::kTf32; }

constexpr std::array<KernelVersion<GemmArgs>, 3> kVersions{
    {{"gemm_v1", nullptr, launch_v1<float>},
     {"gemm_v2", nullptr, launch_tiled<Unit::kFfma, float>},
     {"gemm_v3", wants_tf32, launch_tiled<Unit::kTensorCore, float>}}};
constexpr std::array<KernelVersion<GemmBf16Args>, 2> kBf16Versions{
    {{"gemm_bf16_v1", nullptr, launch_v1<Bf16>},
     {"gemm_bf16_v2", nullptr, launch_tiled<Unit::kTensorCore, Bf16>}}};

}  // namespace

std::span<const KernelVersion<GemmArgs>> gemm_versions() { return kVersions; }
std::span<const KernelVersion<GemmBf16Args>> gemm_bf16_versions() { return kBf16Versions; }

void gemm(const GemmArgs& args, Stream stream) { launch_newest(gemm_versions(), args, stream); }
void gemm_bf16(const GemmBf16Args& args, Stream stream) { launch_newest(gemm_bf16_versions(), args, stream); }

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
