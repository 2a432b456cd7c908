/// Logits of the unconstrained feature model in bfloat16, and their gradients.
/// v2 spares the logits' way to the L2 cache and back, 8 bytes of each; its tile, of fewer rows than v1's,
/// reads d/64 bytes more of operands per logit. So it is for d < 512 at C ≤ 128. A tile with all of more
/// classes would have fewer rows yet: 32 at C = 512, which costs more than it spares from d = 228 on.
/// v1 matrix product, then gradients · v2 a block has all logits of 64 samples in shared memory (C ≤ 128)
#include "kernels/ufm_logits.h"

#include <array>

#include "kernels/gemm.h"
#include "kernels/grid.h"
#include "kernels/implicit_gemm.cuh"
#include "kernels/newest.h"
#include "kernels/simt.h"
#include "kernels/ufm_gradient_row.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

/// Eight warps; three stages of 15 KB, since most problems have few tiles along the depth.
struct Config {
  using T = Bf16;
  using Shape = TileShape<64, 128, 32, 32>;
  static constexpr int kVectorA = kUfmPadding, kVectorB = kUfmPadding;
  static constexpr int kThreads = Shape::kThreads;
  static constexpr int kStages = 3;
  template <Order a_order, Order b_order>
  using Sums = TensorCoreSums<T, Shape, a_order, b_order>;
};
constexpr int kWarps = Config::kThreads / kWarpSize;
constexpr std::size_t kStageBytes =
    sizeof(Bf16) * Config::kStages *
    (SharedTile<Bf16, Config::Shape::kRows, Order::kDepthFastest>::kElements +
     SharedTile<Bf16, Config::Shape::kColumns, Order::kDepthFastest>::kElements);
/// Eight lanes store the rows of an instruction's sums at once: this puts them 8 banks apart.
constexpr int kPitch = Config::Shape::kColumns + 8;
constexpr std::size_t kSharedBytes = kStageBytes + sizeof(float) * Config::Shape::kRows * kPitch;

/// Where multiply_tile() puts the logits of a block, behind its stages.
struct SharedLogits {
  struct Row {
    float* data;
    __device__ void store(const Floats<2>& values, int column) const { store_pack(values, data + column); }
  };
  float* data;
  int first_row;

  __device__ Row row(int index) const { return {data + (index - first_row) * kPitch}; }
};

/// grid (⌈samples/rows of a tile⌉, runs)
__global__ void __launch_bounds__(Config::kThreads, 1) ufm_logits_v2(UfmLogitsArgs args) {
  using Rows = Operand<Bf16, PlainAxis, PlainAxis, Order::kDepthFastest>;
  const std::int64_t run = blockIdx.y;
  const int first_row = static_cast<int>(blockIdx.x) * Config::Shape::kRows;
  const Rows features{.data = args.features + run * args.features_run_stride,
                      .rows = {args.gradient.samples, args.dim},
                      .depth = {args.dim, 1}};
  const Rows classifier{.data = args.classifier + run * args.classifier_run_stride,
                        .rows = {args.gradient.columns, args.dim},
                        .depth = {args.dim, 1}};
  float* const logits = dynamic_shared<float>() + kStageBytes / sizeof(float);
  multiply_tile<Config>(features, classifier, {first_row, 0}, {0, args.dim}, SharedLogits{logits, first_row});
  __syncthreads();  // a row's logits come from all warps across
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x) / kWarpSize; i < Config::Shape::kRows; i += kWarps)
    if (first_row + i < args.gradient.samples)  // true for all lanes of a warp or none
      ufm::store_gradients_of_row<Config::Shape::kColumns / kWarpSize>(args.gradient, first_row + i,
                                                                       logits + i * kPitch);
}

void launch_v1(const UfmLogitsArgs& args, Stream stream) {
  const UfmGradientArgs<float, Bf16>& gradient = args.gradient;
  gemm_bf16({.a = {args.features, args.features_run_stride, args.dim},
             .b = {args.classifier, args.classifier_run_stride, args.dim},
             .c = {args.logits, gradient.logits_run_stride, gradient.columns},
             .a_order = MatrixOrder::kAsIs,
             .b_order = MatrixOrder::kTransposed,
             .rows = gradient.samples,
             .columns = gradient.columns,
             .depth = args.dim,
             .runs = gradient.runs},
            stream);
  ufm_gradient<float, Bf16>(gradient, stream);
}

bool v2_accepts(const UfmLogitsArgs& args) {
  return args.gradient.columns <= Config::Shape::kColumns && args.dim < 512;
}

void launch_v2(const UfmLogitsArgs& args, Stream stream) {
  launch({.grid = {grid_extent(ceil_divide(args.gradient.samples, Config::Shape::kRows)),
                   static_cast<unsigned>(args.gradient.runs)},
          .block = {Config::kThreads},
          .shared_bytes = kSharedBytes,
          .stream = stream},
         ufm_logits_v2, args);
}

constexpr std::array<KernelVersion<UfmLogitsArgs>, 2> kVersions{
    {{"ufm_logits_v1", nullptr, launch_v1}, {"ufm_logits_v2", v2_accepts, launch_v2}}};

}  // namespace

std::span<const KernelVersion<UfmLogitsArgs>> ufm_logits_versions() { return kVersions; }

void ufm_logits(const UfmLogitsArgs& args, Stream stream) {
  launch_newest(ufm_logits_versions(), args, stream);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
