/// Logits of the unconstrained feature model in bfloat16, and their gradients.
/// v2 and v3 spare the logits' way to the L2 cache and back, 8 bytes of each; their tiles, which hold all
/// classes and fewer rows than v1's, read more bytes of operands per logit than v1's: d/64 with 64x128, d/128
/// with 64x256, d/256 with 64x512. Where that is more than 8 (d from 512, 1024 and 2048 on) they decline.
/// v1 matrix product, then gradients · v2 a block has all logits of 64 samples in shared memory (C ≤ 128)
/// · v3 the same in registers (128 < C ≤ 512)
#include "kernels/ufm_logits.h"

#include <array>
#include <type_traits>

#include "kernels/gemm.h"
#include "kernels/grid.h"
#include "kernels/implicit_gemm.cuh"
#include "kernels/newest.h"
#include "kernels/simt.h"
#include "kernels/ufm_gradient_row.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

using Rows = Operand<Bf16, PlainAxis, PlainAxis, Order::kDepthFastest>;

__device__ Rows features_of(const UfmLogitsArgs& args) {
  return {.data = args.features + blockIdx.y * args.features_run_stride,
          .rows = {args.gradient.samples, args.dim},
          .depth = {args.dim, 1}};
}
__device__ Rows classifier_of(const UfmLogitsArgs& args) {
  return {.data = args.classifier + blockIdx.y * args.classifier_run_stride,
          .rows = {args.gradient.columns, args.dim},
          .depth = {args.dim, 1}};
}

/// Of v2. Eight warps; three stages of 15 KB, since most problems have few tiles along the depth.
struct NarrowConfig {
  using T = Bf16;
  using Shape = TileShape<64, 128, 32, 32>;
  static constexpr int kVectorA = kUfmPadding, kVectorB = kUfmPadding;
  static constexpr int kThreads = Shape::kThreads;
  static constexpr int kStages = 3;
  template <Order a_order, Order b_order>
  using Sums = TensorCoreSums<T, Shape, a_order, b_order>;
};
constexpr int kWarps = NarrowConfig::kThreads / kWarpSize;
constexpr std::size_t kStageBytes =
    sizeof(Bf16) * NarrowConfig::kStages *
    (SharedTile<Bf16, NarrowConfig::Shape::kRows, Order::kDepthFastest>::kElements +
     SharedTile<Bf16, NarrowConfig::Shape::kColumns, Order::kDepthFastest>::kElements);
/// Eight lanes store the rows of an instruction's sums at once: this puts them 8 banks apart.
constexpr int kPitch = NarrowConfig::Shape::kColumns + 8;
constexpr std::size_t kSharedBytes = kStageBytes + sizeof(float) * NarrowConfig::Shape::kRows * kPitch;

/// Where multiply_tile() puts the logits of a block, behind its stages.
struct SharedLogits {
  struct Row {
    float* data;
    template <int kStep, int kCount>
    __device__ void store(const Floats<2> (&values)[kCount], int first) const {
#pragma unroll
      for (int pack = 0; pack < kCount; ++pack) store_pack(values[pack], data + first + pack * kStep);
    }
  };
  float* data;
  int first_row;

  __device__ Row row(int index) const { return {data + (index - first_row) * kPitch}; }
};

/// grid (⌈samples/rows of a tile⌉, runs)
__global__ void __launch_bounds__(NarrowConfig::kThreads, 1) ufm_logits_v2(UfmLogitsArgs args) {
  const int first_row = static_cast<int>(blockIdx.x) * NarrowConfig::Shape::kRows;
  float* const logits = dynamic_shared<float>() + kStageBytes / sizeof(float);
  multiply_tile<NarrowConfig>(features_of(args), classifier_of(args), {first_row, 0}, {0, args.dim},
                              SharedLogits{logits, first_row});
  __syncthreads();  // a row's logits come from all warps across
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x) / kWarpSize; i < NarrowConfig::Shape::kRows; i += kWarps)
    if (first_row + i < args.gradient.samples)  // true for all lanes of a warp or none
      ufm::store_gradients_of_row<NarrowConfig::Shape::kColumns / kWarpSize>(args.gradient, first_row + i,
                                                                             logits + i * kPitch);
}

/// v3: as many columns as there are classes; eight warps of 32x64 or 32x128 logits, which is 64 or 128
/// registers a thread.
template <int columns>
struct WideConfig {
  using T = Bf16;
  using Shape = TileShape<64, columns, 32, columns / 4>;
  static constexpr int kVectorA = kUfmPadding, kVectorB = kUfmPadding;
  static constexpr int kThreads = Shape::kThreads;
  static constexpr int kStages = columns <= 256 ? 3 : 2;  // 75 KB, 90 KB
  /// Sums that hand themselves to the output instead of their values.
  template <Order a_order, Order b_order>
  struct Sums : TensorCoreSums<T, Shape, a_order, b_order> {
    template <class Output>
    __device__ void store(const Output& output, int first_row, int first_column) const {
      const TensorCoreSums<T, Shape, a_order, b_order>& sums = *this;
      output.take(sums, first_row, first_column);
    }
  };
  static constexpr std::size_t kStageBytes =
      sizeof(T) * kStages *
      (SharedTile<T, Shape::kRows, Order::kDepthFastest>::kElements +
       SharedTile<T, Shape::kColumns, Order::kDepthFastest>::kElements);
};

/// What a lane does with its share of the sums: visit(number of its row, column, logit) in the order in which
/// the sums store them. The number is known when the loops are unrolled, so that what it indexes stays in
/// registers.
template <class Visit>
struct Visitor {
  struct Row {
    const Visit& visit;
    int number;
    template <int kStep, int kCount>
    __device__ void store(const Floats<2> (&values)[kCount], int first) const {
#pragma unroll
      for (int pack = 0; pack < kCount; ++pack) visit(number, first + pack * kStep, values[pack]);
    }
  };
  const Visit& visit;
  mutable int rows = 0;

  __device__ Row row(int) const { return {visit, rows++}; }
};

/// Gradients from the logits that a block has in registers.
template <class Shape>
struct RegisterSoftmax {
  static constexpr int kRowsOfLane = Shape::kWarpRows / 8;
  const UfmGradientArgs<float, Bf16>& args;
  float* partials;  ///< [kRows][kWarpsAcross], shared

  template <class Sums>
  __device__ void take(const Sums& sums, int first_row, int) const {
    const ThreadInTile<Shape> thread;
    const auto for_each = [&](const auto& visit) {
      sums.store(Visitor<std::decay_t<decltype(visit)>>{visit}, 0, 0);
    };
    float largest[kRowsOfLane], total[kRowsOfLane];
    int labels[kRowsOfLane];
#pragma unroll
    for (int i = 0; i < kRowsOfLane; ++i) {
      largest[i] = -INFINITY;
      total[i] = 0;
      const int row = first_row + thread.warp_row + 8 * i + thread.lane / 4;
      labels[i] = row < args.samples ? ufm::label_of(args, row) : -1;
    }
    for_each([&](int i, int column, const Floats<2>& logits) {
      for (int j = 0; j < 2; ++j)
        if (column + j < args.classes) largest[i] = ufm::Larger{}(largest[i], logits[j]);
    });
    reduce<ufm::Larger>(largest, thread);
    for_each([&](int i, int column, const Floats<2>& logits) {
      for (int j = 0; j < 2; ++j)
        if (column + j < args.classes) total[i] += ufm::exponential(logits[j] - largest[i]);
    });
    reduce<Sum>(total, thread);
    for_each([&](int i, int column, const Floats<2>& logits) {
      const int row = first_row + thread.warp_row + 8 * i + thread.lane / 4;
      if (row >= args.samples || column >= args.columns) return;
      Pack<Bf16, 2> gradients;
      for (int j = 0; j < 2; ++j) {
        ufm::store_gradient(args, &gradients[j], ufm::exponential(logits[j] - largest[i]), total[i],
                            column + j, labels[i]);
        if (column + j == labels[i]) ufm::store_loss(args, row, total[i], logits[j], largest[i]);
      }
      store_pack(gradients, args.gradients + ufm::row_of_logits(args, row) + column);
    });
  }

 private:
  /// Over the four lanes that share rows, then over the warps across, in order.
  template <class Combine>
  __device__ void reduce(float (&values)[kRowsOfLane], const ThreadInTile<Shape>& thread) const {
    const int warp = thread.warp_column / Shape::kWarpColumns;
    __syncthreads();  // what the partials' memory held before has been read
#pragma unroll
    for (int i = 0; i < kRowsOfLane; ++i) {
      for (int distance = 1; distance < 4; distance *= 2)
        values[i] = Combine{}(values[i], __shfl_xor_sync(kFullWarp, values[i], distance));
      if (thread.lane % 4 == 0)
        partials[(thread.warp_row + 8 * i + thread.lane / 4) * Shape::kWarpsAcross + warp] = values[i];
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kRowsOfLane; ++i) {
      const float* const of_row =
          partials + (thread.warp_row + 8 * i + thread.lane / 4) * Shape::kWarpsAcross;
      values[i] = of_row[0];
      for (int j = 1; j < Shape::kWarpsAcross; ++j) values[i] = Combine{}(values[i], of_row[j]);
    }
  }
};

/// grid (⌈samples/rows of a tile⌉, runs)
template <int columns>
__global__ void __launch_bounds__(WideConfig<columns>::kThreads, 1) ufm_logits_v3(UfmLogitsArgs args) {
  using Config = WideConfig<columns>;
  using Shape = typename Config::Shape;
  __shared__ float partials[Shape::kRows * Shape::kWarpsAcross];
  const int first_row = static_cast<int>(blockIdx.x) * Shape::kRows;
  multiply_tile<Config>(features_of(args), classifier_of(args), {first_row, 0}, {0, args.dim},
                        RegisterSoftmax<Shape>{args.gradient, partials});
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
  return args.gradient.columns <= NarrowConfig::Shape::kColumns && args.dim < 512;
}

void launch_v2(const UfmLogitsArgs& args, Stream stream) {
  launch({.grid = {grid_extent(ceil_divide(args.gradient.samples, NarrowConfig::Shape::kRows)),
                   static_cast<unsigned>(args.gradient.runs)},
          .block = {NarrowConfig::kThreads},
          .shared_bytes = kSharedBytes,
          .stream = stream},
         ufm_logits_v2, args);
}

bool v3_accepts(const UfmLogitsArgs& args) {
  const int columns = args.gradient.columns;
  return columns > NarrowConfig::Shape::kColumns && columns <= 512 &&
         args.dim < (columns <= 256 ? 1024 : 2048);
}

template <int columns>
void launch_wide(const UfmLogitsArgs& args, Stream stream) {
  using Config = WideConfig<columns>;
  launch({.grid = {grid_extent(ceil_divide(args.gradient.samples, Config::Shape::kRows)),
                   static_cast<unsigned>(args.gradient.runs)},
          .block = {Config::kThreads},
          .shared_bytes = Config::kStageBytes,
          .stream = stream},
         ufm_logits_v3<columns>, args);
}

void launch_v3(const UfmLogitsArgs& args, Stream stream) {
  args.gradient.columns <= 256 ? launch_wide<256>(args, stream) : launch_wide<512>(args, stream);
}

constexpr std::array<KernelVersion<UfmLogitsArgs>, 3> kVersions{{{"ufm_logits_v1", nullptr, launch_v1},
                                                                 {"ufm_logits_v2", v2_accepts, launch_v2},
                                                                 {"ufm_logits_v3", v3_accepts, launch_v3}}};

}  // namespace

std::span<const KernelVersion<UfmLogitsArgs>> ufm_logits_versions() { return kVersions; }

void ufm_logits(const UfmLogitsArgs& args, Stream stream) {
  launch_newest(ufm_logits_versions(), args, stream);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
