/// Linear layer, fixed classifier and softmax cross-entropy, Eq. (1), forward and backward in one launch.
/// A block has a chunk of 32 rows of the batch and a tile of the columns of x, at most a quarter of them. All
/// blocks of a chunk compute its features, logits and their gradients, a warp four rows, which stay in shared
/// memory; each then makes its tile of x_grad and the chunk's share of its tile of weights_grad. The last
/// block of a tile to finish, told by a ticket, adds the shares in the order of the chunks.
///
/// With the paper's F = 512, d = 64, C = 100 a block multiplies 1.0·10⁶ pairs for the features (four times
/// over in all), 0.4·10⁶ for logits and back, 0.5·10⁶ for its gradients, and the last block of a tile reads
/// 32 KB a chunk. The bet is that this costs less than six more launches and a trip of everything through
/// memory; no time has been measured yet. v1 as said, fp32
#include "kernels/fixed_classifier_loss.h"

#include <algorithm>

#include "kernels/fixed_classifier_tiles.cuh"
#include "kernels/pack.cuh"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"
#include "kernels/ticket.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

using namespace fixed_classifier;

/// How often loops over shared memory are unrolled: where a thread has much in registers, not at all, for
/// ptxas would load ahead what then does not fit.
template <int kDims>
constexpr int kUnrolled = kDims < 32 ? 4 : 1;

template <int kDims>
__device__ void load_frame(const Args& args, const Share& share, const Workplace<kDims>& place) {
  const float* const __restrict__ frame = args.frame + share.run * args.frame_run_stride;
  for (int i = static_cast<int>(threadIdx.x); i < args.extents.classes * kDims; i += kThreads) {
    const int y = i / kDims, k = i % kDims;
    place.frame[y * Workplace<kDims>::kFeatureStride + k] =
        k < args.extents.feature_dim ? frame[y * args.extents.feature_dim + k] : 0.0f;
  }
}

/// features = x·weightsᵀ + bias of the chunk's rows: lane l of a row has dimensions l, l + 8, …, and adds
/// from the first column to the last.
template <int kDims, bool kIsAligned>
__device__ void compute_features(const Args& args, const Plan& plan, const Share& share,
                                 const Slices<kDims, kIsAligned>& slices, const Workplace<kDims>& place) {
  constexpr int kPerLane = kDims / kLanesPerRow;
  [[maybe_unused]] constexpr int kAtOnce = kUnrolled<kDims>;  // the emulator's compiler leaves pragmas out
  const int first = lane_of_thread() % kLanesPerRow, row = row_of_thread();
  float sums[kPerLane] = {};
  slices.for_each(place, 0, plan.slices, [&](int) {
#pragma unroll kAtOnce
    for (int c = 0; c < kSlice; c += kPack) {
      const Floats<kPack> x = load_floats<kPack>(place.x + row * kSliceStride + c);
      for (int i = 0; i < kPerLane; ++i) {
        const Floats<kPack> weights =
            load_floats<kPack>(place.weights + (first + i * kLanesPerRow) * kSliceStride + c);
        for (int j = 0; j < kPack; ++j) sums[i] = fmaf(x[j], weights[j], sums[i]);
      }
    }
  });
  const float* const __restrict__ bias = args.bias + share.run * args.bias_run_stride;
  for (int i = 0; i < kPerLane; ++i) {
    const int k = first + i * kLanesPerRow;
    place.features[row * Workplace<kDims>::kFeatureStride + k] =
        k < args.extents.feature_dim ? sums[i] + bias[k] : 0.0f;
  }
}

/// The logits of a warp's rows: lane l has classes l, l + 32, …; −∞ beyond the last, whose exponential is 0.
struct Logits {
  float of_row[kRowsPerWarp][kClassesPerLane];
};

template <int kDims>
__device__ Logits compute_logits(int classes, const Workplace<kDims>& place) {
  constexpr int kStride = Workplace<kDims>::kFeatureStride;
  [[maybe_unused]] constexpr int kAtOnce = kUnrolled<kDims>;
  const int row = first_row_of_warp();
  Logits logits{};
#pragma unroll kAtOnce
  for (int k = 0; k < kDims; k += kPack) {
    Floats<kPack> features[kRowsPerWarp];
    for (int r = 0; r < kRowsPerWarp; ++r)
      features[r] = load_floats<kPack>(place.features + (row + r) * kStride + k);
    for (int i = 0; i < kClassesPerLane; ++i) {
      if (i * kWarpSize >= classes) continue;
      const int y = min(lane_of_thread() + i * kWarpSize, classes - 1);
      const Floats<kPack> direction = load_floats<kPack>(place.frame + y * kStride + k);
      for (int r = 0; r < kRowsPerWarp; ++r)
        for (int j = 0; j < kPack; ++j)
          logits.of_row[r][i] = fmaf(features[r][j], direction[j], logits.of_row[r][i]);
    }
  }
  for (int i = 0; i < kClassesPerLane; ++i)
    if (lane_of_thread() + i * kWarpSize >= classes)
      for (int r = 0; r < kRowsPerWarp; ++r) logits.of_row[r][i] = -INFINITY;
  return logits;
}

/// Loss and ∂(mean loss)/∂logits of one row, in the order of cross_entropy_v2; what is beyond the batch has
/// no gradient.
template <int kDims>
__device__ void finish_row(const Args& args, const Share& share, int row, float (&values)[kClassesPerLane],
                           const Workplace<kDims>& place) {
  const int lane = lane_of_thread();
  const std::int64_t sample = std::int64_t{share.chunk} * kChunkRows + row;
  const bool is_inside = row < share.rows;
  const int label = is_inside ? args.labels[share.run * args.labels_run_stride + sample] : 0;

  float largest = -INFINITY, of_label = 0.0f;
  for (int i = 0; i < kClassesPerLane; ++i) {
    largest = fmaxf(largest, values[i]);
    if (i == label / kWarpSize) of_label = values[i];
  }
  largest = warp_reduce<Maximum>(largest);
  of_label = __shfl_sync(kFullWarp, of_label, label % kWarpSize);
  float sum = 0;
  for (int i = 0; i < kClassesPerLane; ++i) {
    values[i] = expf(values[i] - largest);
    sum += values[i];
  }
  sum = warp_reduce<Sum>(sum);

  // A NaN or +∞ among the logits has made the sum NaN.
  if (is_inside && lane == 0 && share.tile == 0)
    args.losses[share.run * args.losses_run_stride + sample] = logf(sum) - (of_label - largest);
  for (int i = 0; i < kClassesPerLane; ++i) {
    const int y = lane + i * kWarpSize;
    const float gradient =
        (values[i] / sum - (y == label ? 1.0f : 0.0f)) / static_cast<float>(args.extents.batch);
    place.logits_grad[row * kLogitsStride + y] = is_inside ? gradient : 0.0f;
  }
}

/// features_grad = logits_grad·frame of the chunk's rows, over the features: 8 lanes a row, each with packs
/// of dimensions.
template <int kDims>
__device__ void compute_features_grad(int classes, const Workplace<kDims>& place) {
  constexpr int kWide = std::min(kPack, kDims / kLanesPerRow);
  constexpr int kStep = kWide * kLanesPerRow, kPacks = kDims / kStep;
  constexpr int kStride = Workplace<kDims>::kFeatureStride;
  const int first = lane_of_thread() % kLanesPerRow * kWide, row = row_of_thread();
  Floats<kWide> sums[kPacks] = {};
  for (int y = 0; y < classes; ++y) {
    const float gradient = place.logits_grad[row * kLogitsStride + y];
    for (int i = 0; i < kPacks; ++i) {
      const Floats<kWide> direction = load_floats<kWide>(place.frame + y * kStride + first + i * kStep);
      for (int j = 0; j < kWide; ++j) sums[i][j] = fmaf(gradient, direction[j], sums[i][j]);
    }
  }
  for (int i = 0; i < kPacks; ++i) store_floats(sums[i], place.features + row * kStride + first + i * kStep);
}

/// Stores a pack at column c of a row of `columns`.
template <bool kIsAligned>
__device__ void store_columns(const Floats<kPack>& values, float* row, int c, int columns) {
  if constexpr (kIsAligned) {
    if (c < columns) store_floats(values, row + c);
  } else {
    for (int j = 0; j < kPack; ++j)
      if (c + j < columns) row[c + j] = values[j];
  }
}

/// Where the thread stands in a slice: 16 threads share its columns, a pack each.
constexpr int kColumnGroups = kThreads / kPacksOfSlice;
__device__ int column_of_thread() { return static_cast<int>(threadIdx.x) % kPacksOfSlice * kPack; }
__device__ int group_of_thread() { return static_cast<int>(threadIdx.x) / kPacksOfSlice; }

/// x_grad = features_grad·weights of a slice: each half of a warp has two of its rows.
template <int kDims, bool kIsAligned>
__device__ void store_x_grad(const Args& args, const Share& share, int slice, const Workplace<kDims>& place) {
  constexpr int kRows = kChunkRows / kColumnGroups;
  [[maybe_unused]] constexpr int kAtOnce = kUnrolled<kDims>;
  const int row = group_of_thread() * kRows, c = column_of_thread();
  Floats<kPack> sums[kRows] = {};
#pragma unroll kAtOnce
  for (int k = 0; k < kDims; k += kPack) {
    Floats<kPack> gradients[kRows];
    for (int r = 0; r < kRows; ++r)
      gradients[r] = load_floats<kPack>(place.features + (row + r) * Workplace<kDims>::kFeatureStride + k);
    for (int i = 0; i < kPack; ++i) {
      const Floats<kPack> weights = load_floats<kPack>(place.weights + (k + i) * kSliceStride + c);
      for (int r = 0; r < kRows; ++r)
        for (int j = 0; j < kPack; ++j) sums[r][j] = fmaf(gradients[r][i], weights[j], sums[r][j]);
    }
  }
  const int columns = args.extents.in_features;
  const std::int64_t first_row = std::int64_t{share.chunk} * kChunkRows + row;
  float* const x_grad = args.x_grad + share.run * args.x_grad_run_stride + first_row * columns;
  for (int r = 0; r < kRows; ++r)
    if (row + r < share.rows)
      store_columns<kIsAligned>(sums[r], x_grad + std::int64_t{r} * columns, slice * kSlice + c, columns);
}

/// Dimensions of weights_grad that a thread has; those beyond the last group have none.
template <int kDims>
constexpr int kDimsPerGroup = std::max(1, kDims / kColumnGroups);

/// The chunk's share of weights_grad = features_gradᵀ·x of a slice.
template <int kDims>
__device__ void store_weights_share(const Args& args, const Plan& plan, const Share& share, int slice,
                                    const Workplace<kDims>& place) {
  constexpr int kPer = kDimsPerGroup<kDims>;
  [[maybe_unused]] constexpr int kAtOnce = 2 * kUnrolled<kDims>;
  const int first = group_of_thread() * kPer, c = column_of_thread();
  if (first >= args.extents.feature_dim) return;
  Floats<kPack> sums[kPer] = {};
#pragma unroll kAtOnce
  for (int row = 0; row < kChunkRows; ++row) {
    const Floats<kPack> x = load_floats<kPack>(place.x + row * kSliceStride + c);
    const Floats<kPer> gradients =
        load_floats<kPer>(place.features + row * Workplace<kDims>::kFeatureStride + first);
    for (int i = 0; i < kPer; ++i)
      for (int j = 0; j < kPack; ++j) sums[i][j] = fmaf(gradients[i], x[j], sums[i][j]);
  }
  float* const to = weights_share(args, plan, share.run, share.chunk) + slice * kSlice + c;
  for (int i = 0; i < kPer; ++i)
    if (first + i < args.extents.feature_dim) store_floats(sums[i], to + (first + i) * plan.padded_columns());
}

template <int kDims>
__device__ void store_bias_share(const Args& args, const Plan& plan, const Share& share,
                                 const Workplace<kDims>& place) {
  const int k = static_cast<int>(threadIdx.x);
  if (k >= args.extents.feature_dim) return;
  float sum = 0;
  for (int row = 0; row < kChunkRows; ++row)
    sum += place.features[row * Workplace<kDims>::kFeatureStride + k];
  bias_share(args, plan, share.run, share.chunk)[k] = sum;
}

/// The gradients of the tile, its shares added in the order of the chunks whoever adds them.
template <int kDims, bool kIsAligned>
__device__ void add_shares(const Args& args, const Plan& plan, const Share& share) {
  const Extents& extents = args.extents;
  const int columns = extents.in_features, first = group_of_thread() * kDimsPerGroup<kDims>;
  float* const weights_grad = args.weights_grad + share.run * args.weights_grad_run_stride;
  for (int slice = share.first_slice; slice < share.end_slice; ++slice) {
    const int c = slice * kSlice + column_of_thread();
    for (int k = first; k < min(first + kDimsPerGroup<kDims>, extents.feature_dim); ++k) {
      Floats<kPack> sum{};
      for (int chunk = 0; chunk < plan.chunks; ++chunk) {
        const Floats<kPack> addend =
            load_floats<kPack>(weights_share(args, plan, share.run, chunk) + k * plan.padded_columns() + c);
        for (int j = 0; j < kPack; ++j) sum[j] += addend[j];
      }
      store_columns<kIsAligned>(sum, weights_grad + std::int64_t{k} * columns, c, columns);
    }
  }
  const int k = static_cast<int>(threadIdx.x);
  if (share.tile != 0 || k >= extents.feature_dim) return;
  float sum = 0;
  for (int chunk = 0; chunk < plan.chunks; ++chunk) sum += bias_share(args, plan, share.run, chunk)[k];
  args.bias_grad[share.run * args.bias_grad_run_stride + k] = sum;
}

/// grid (chunks·tiles, runs); kDims is feature_dim, rounded up.
template <int kDims, bool kIsAligned>
__global__ void __launch_bounds__(kThreads, kBlocksPerProcessor)
    fixed_classifier_loss_v1(Args args, Plan plan) {
  static_assert(kDims % kLanesPerRow == 0 && kDims <= kMostFeatureDim && kMostFeatureDim <= kThreads);
  const Extents& extents = args.extents;
  const Share share = share_of_block(args, plan);
  const Workplace<kDims> place = Workplace<kDims>::in_shared_memory();
  const std::int64_t first_sample = std::int64_t{share.chunk} * kChunkRows;
  const Slices<kDims, kIsAligned> slices{
      .x = args.x + share.run * args.x_run_stride + first_sample * extents.in_features,
      .weights = args.weights + share.run * args.weights_run_stride,
      .rows = share.rows,
      .feature_dim = extents.feature_dim,
      .in_features = extents.in_features};

  load_frame(args, share, place);
  compute_features(args, plan, share, slices, place);
  __syncwarp();  // a warp computes with its own rows alone
  Logits logits = compute_logits(extents.classes, place);
  for (int r = 0; r < kRowsPerWarp; ++r)
    finish_row(args, share, first_row_of_warp() + r, logits.of_row[r], place);
  __syncwarp();  // all lanes have read the features, and written the gradients of the logits
  compute_features_grad(extents.classes, place);

  slices.for_each(place, share.first_slice, share.end_slice, [&](int slice) {
    store_x_grad<kDims, kIsAligned>(args, share, slice, place);
    store_weights_share(args, plan, share, slice, place);
  });
  if (share.tile == 0) store_bias_share(args, plan, share, place);
  if (is_last_block(args.tickets + share.run * plan.tiles + share.tile, plan.chunks))
    add_shares<kDims, kIsAligned>(args, plan, share);
}

template <int kDims>
void launch_dims(const Args& args, Stream stream) {
  const Plan plan = plan_of(args.extents);
  const std::int64_t columns = args.extents.in_features;
  const LaunchShape shape = {
      .grid = {grid_extent(std::int64_t{plan.chunks} * plan.tiles), static_cast<unsigned>(args.extents.runs)},
      .block = {kThreads},
      .shared_bytes = Workplace<kDims>::bytes(args.extents.classes),
      .stream = stream};
  if (holds_packs<kPack>(args.x, {args.x_run_stride, columns}) &&
      holds_packs<kPack>(args.weights, {args.weights_run_stride}) &&
      holds_packs<kPack>(args.x_grad, {args.x_grad_run_stride}) &&
      holds_packs<kPack>(args.weights_grad, {args.weights_grad_run_stride}))
    launch(shape, fixed_classifier_loss_v1<kDims, true>, args, plan);
  else
    launch(shape, fixed_classifier_loss_v1<kDims, false>, args, plan);
}

}  // namespace

bool fixed_classifier_loss_accepts(const Extents& extents) {
  return extents.feature_dim <= kMostFeatureDim && extents.classes <= kMostClasses &&
         extents.batch <= kMostBatch;
}

std::size_t fixed_classifier_loss_workspace(const Extents& extents) {
  const Plan plan = plan_of(extents);
  const std::int64_t floats = std::int64_t{extents.runs} * plan.chunks * extents.feature_dim *
                              (plan.padded_columns() + 1);  // weights_grad, bias_grad
  return sizeof(float) * static_cast<std::size_t>(floats);
}

int fixed_classifier_loss_tickets(const Extents& extents) { return extents.runs * plan_of(extents).tiles; }

void fixed_classifier_loss(const Args& args, Stream stream) {
  if (args.extents.feature_dim <= 8) return launch_dims<8>(args, stream);
  if (args.extents.feature_dim <= 16) return launch_dims<16>(args, stream);
  if (args.extents.feature_dim <= 32) return launch_dims<32>(args, stream);
  launch_dims<kMostFeatureDim>(args, stream);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
