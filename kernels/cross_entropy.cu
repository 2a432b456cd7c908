/// Fused softmax cross-entropy: loss, gradient and prediction, Eq. (1).
/// Probabilities are never stored. A row costs one read of its logits (v3: two, of which the second is meant
/// to come from the caches) and one write of its gradient. v1 warp per row: maximum, sum, gradient, three
/// reads that hit the L1 cache · v2 warp per row in registers, up to 1024 classes · v3 block per row: maximum
/// and sum in one pass, packs of 16 bytes where all is aligned
#include "kernels/cross_entropy.h"

#include <cfloat>
#include <climits>

#include "kernels/pack.cuh"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kWarps = 4;  // rows per block, where a warp has a row
constexpr int kThreads = kWarps * kWarpSize;

/// One row of one run. Not __restrict__: logits_grad may be logits.
struct Row {
  const float* logits;
  float* logits_grad;  ///< null: not wanted
  float* loss;
  std::int32_t* prediction;  ///< null: not wanted
  int label;
  float label_logit;
};

__device__ Row row_of(const CrossEntropyArgs& args, std::int64_t run, std::int64_t row) {
  const float* const logits = args.logits + run * args.logits_run_stride + row * args.classes;
  const int label = args.labels[run * args.labels_run_stride + row];
  return {.logits = logits,
          .logits_grad = args.logits_grad == nullptr
                             ? nullptr
                             : args.logits_grad + run * args.logits_grad_run_stride + row * args.classes,
          .loss = args.losses + run * args.losses_run_stride + row,
          .prediction = args.predictions == nullptr
                            ? nullptr
                            : args.predictions + run * args.predictions_run_stride + row,
          .label = label,
          .label_logit = logits[label]};
}

/// The largest of some logits and its first place; INT_MAX where none is above −∞, and the first logit of the
/// row is as large as any. Ignores NaN.
struct Largest {
  float logit = -INFINITY;
  int place = INT_MAX;

  __device__ void take(float candidate, int at) {
    if (!(candidate > logit)) return;
    logit = candidate;
    place = at;
  }
};

/// Written by one thread. `sum` is Σ exp(logit − largest); a NaN or +∞ among the logits makes it NaN, and
/// with it the loss.
__device__ void store_outcome(const Row& row, float largest, float sum, int first_largest) {
  *row.loss = logf(sum) - (row.label_logit - largest);
  if (row.prediction != nullptr) *row.prediction = first_largest == INT_MAX ? 0 : first_largest;
}

/// ∂(mean loss)/∂logit of class c, whose exp(logit − largest) is `exponential`.
__device__ float gradient_of(const CrossEntropyArgs& args, const Row& row, int c, float exponential,
                             float sum) {
  return (exponential / sum - (c == row.label ? 1.0f : 0.0f)) / static_cast<float>(args.batch);
}

/// The row of a warp; blocks are (32, kWarps), grids (blocks of rows, runs).
__device__ std::int64_t row_of_warp() { return std::int64_t{blockIdx.x} * kWarps + threadIdx.y; }

LaunchShape warp_per_row(const CrossEntropyArgs& args, Stream stream) {
  return {.grid = {grid_extent(ceil_divide(args.batch, kWarps)), static_cast<unsigned>(args.runs)},
          .block = {kWarpSize, kWarps},
          .stream = stream};
}

__global__ void __launch_bounds__(kThreads) cross_entropy_v1(CrossEntropyArgs args) {
  if (row_of_warp() >= args.batch) return;  // whole warps leave, so the full masks below stay true
  const Row row = row_of(args, blockIdx.y, row_of_warp());
  const int lane = static_cast<int>(threadIdx.x);

  Largest largest;
  for (int c = lane; c < args.classes; c += kWarpSize) largest.take(row.logits[c], c);
  const float row_largest = warp_reduce<Maximum>(largest.logit);
  const int first_largest = warp_reduce<Minimum>(largest.logit == row_largest ? largest.place : INT_MAX);
  float sum = 0;
  for (int c = lane; c < args.classes; c += kWarpSize) sum += expf(row.logits[c] - row_largest);
  sum = warp_reduce<Sum>(sum);

  if (lane == 0) store_outcome(row, row_largest, sum, first_largest);
  if (row.logits_grad == nullptr) return;
  // All lanes have read the label's logit before the one it belongs to may overwrite it; every other element
  // is last read by the lane that overwrites it.
  __syncwarp();
  for (int c = lane; c < args.classes; c += kWarpSize)
    row.logits_grad[c] = gradient_of(args, row, c, expf(row.logits[c] - row_largest), sum);
}

/// As v1 to the last bit, with the row in registers: kPerLane logits per lane.
template <int kPerLane>
__global__ void __launch_bounds__(kThreads) cross_entropy_v2(CrossEntropyArgs args) {
  if (row_of_warp() >= args.batch) return;  // whole warps, as above
  const Row row = row_of(args, blockIdx.y, row_of_warp());
  const int lane = static_cast<int>(threadIdx.x);

  float
      values[kPerLane];  // logits, then their exponentials; −∞ beyond the last class, whose exponential is 0
  for (int i = 0; i < kPerLane; ++i) {
    const int c = lane + i * kWarpSize;
    values[i] = c < args.classes ? row.logits[c] : -INFINITY;
  }
  Largest largest;
  for (int i = 0; i < kPerLane; ++i) largest.take(values[i], lane + i * kWarpSize);
  const float row_largest = warp_reduce<Maximum>(largest.logit);
  const int first_largest = warp_reduce<Minimum>(largest.logit == row_largest ? largest.place : INT_MAX);
  float sum = 0;
  for (int i = 0; i < kPerLane; ++i) {
    values[i] = expf(values[i] - row_largest);
    sum += values[i];
  }
  sum = warp_reduce<Sum>(sum);

  if (lane == 0) store_outcome(row, row_largest, sum, first_largest);
  if (row.logits_grad == nullptr) return;
  __syncwarp();  // all lanes have read the label's logit before one of them may overwrite it
  for (int i = 0; i < kPerLane; ++i) {
    const int c = lane + i * kWarpSize;
    if (c < args.classes) row.logits_grad[c] = gradient_of(args, row, c, values[i], sum);
  }
}

constexpr int kPack = kPackSize<float>;
// Threads that a multiprocessor should hold of v3: told nothing, ptxas spills to fit 2048.
constexpr int kRowThreadsPerProcessor = 1024;

/// Four logits from class c: as one load, or one by one with −∞ beyond the last class.
template <bool kIsAligned>
__device__ Floats<kPack> load_logits(const float* logits, int c, int classes) {
  if constexpr (kIsAligned) {
    return load_floats<kPack>(logits + c);
  } else {
    Floats<kPack> values;
    for (int i = 0; i < kPack; ++i) values[i] = c + i < classes ? logits[c + i] : -INFINITY;
    return values;
  }
}

/// grid (rows, runs). Thread t has classes 4t to 4t + 3 of every 4·kBlock, aligned or not, so that both give
/// the same bits.
template <int kBlock, bool kIsAligned>
__global__ void __launch_bounds__(kBlock, kRowThreadsPerProcessor / kBlock)
    cross_entropy_v3(CrossEntropyArgs args) {
  const Row row = row_of(args, blockIdx.y, blockIdx.x);
  const int first = static_cast<int>(threadIdx.x) * kPack;
  constexpr int kStep = kBlock * kPack;

  // Σ exp(logit − origin), where origin is the largest logit so far, but finite: −∞ − −∞ would be NaN.
  Largest largest;
  float sum = 0, origin = -FLT_MAX;
  for (int c = first; c < args.classes; c += kStep) {
    const Floats<kPack> logits = load_logits<kIsAligned>(row.logits, c, args.classes);
    for (int i = 0; i < kPack; ++i) largest.take(logits[i], c + i);
    const float next = fmaxf(largest.logit, -FLT_MAX);
    float added = 0;
    for (int i = 0; i < kPack; ++i) added += expf(logits[i] - next);
    sum = fmaf(sum, expf(origin - next), added);
    origin = next;
  }
  const float row_largest = block_reduce<kBlock, Maximum>(largest.logit);
  const int first_largest =
      block_reduce<kBlock, Minimum>(largest.logit == row_largest ? largest.place : INT_MAX);
  const float row_origin = fmaxf(row_largest, -FLT_MAX);
  // A product that no compiler may fuse with the additions of the reduction: lanes would add different
  // things.
  const float row_sum = block_reduce<kBlock, Sum>(fmaf(sum, expf(origin - row_origin), 0.0f));

  if (threadIdx.x == 0) store_outcome(row, row_origin, row_sum, first_largest);
  if (row.logits_grad == nullptr) return;
  // The reductions' barriers lie between all reads of the label's logit and these writes; every other element
  // is last read by the thread that overwrites it.
  for (int c = first; c < args.classes; c += kStep) {
    const Floats<kPack> logits = load_logits<kIsAligned>(row.logits, c, args.classes);
    Floats<kPack> gradient;
    for (int i = 0; i < kPack; ++i)
      gradient[i] = gradient_of(args, row, c + i, expf(logits[i] - row_origin), row_sum);
    if constexpr (kIsAligned)
      store_floats(gradient, row.logits_grad + c);
    else
      for (int i = 0; i < kPack && c + i < args.classes; ++i) row.logits_grad[c + i] = gradient[i];
  }
}

void launch_v1(const CrossEntropyArgs& args, Stream stream) {
  launch(warp_per_row(args, stream), cross_entropy_v1, args);
}

bool v2_accepts(const CrossEntropyArgs& args) { return args.classes <= 1024; }

void launch_v2(const CrossEntropyArgs& args, Stream stream) {
  const LaunchShape shape = warp_per_row(args, stream);
  if (args.classes <= 1 * kWarpSize) return launch(shape, cross_entropy_v2<1>, args);
  if (args.classes <= 4 * kWarpSize) return launch(shape, cross_entropy_v2<4>, args);
  if (args.classes <= 8 * kWarpSize) return launch(shape, cross_entropy_v2<8>, args);
  if (args.classes <= 16 * kWarpSize) return launch(shape, cross_entropy_v2<16>, args);
  launch(shape, cross_entropy_v2<32>, args);
}

template <int kBlock>
void launch_v3_blocks(const CrossEntropyArgs& args, Stream stream) {
  const LaunchShape shape = {.grid = {static_cast<unsigned>(args.batch), static_cast<unsigned>(args.runs)},
                             .block = {kBlock},
                             .stream = stream};
  if (holds_packs<kPack>(args.logits, {args.logits_run_stride, args.classes}) &&
      holds_packs<kPack>(args.logits_grad, {args.logits_grad_run_stride}))
    launch(shape, cross_entropy_v3<kBlock, true>, args);
  else
    launch(shape, cross_entropy_v3<kBlock, false>, args);
}

/// Blocks of 1024 threads, one per multiprocessor, where rows are so long that with more of them under way
/// the second read would miss the L2 cache: 132 rows of 32,000 classes are 17 MB.
void launch_v3(const CrossEntropyArgs& args, Stream stream) {
  args.classes <= 8192 ? launch_v3_blocks<256>(args, stream) : launch_v3_blocks<1024>(args, stream);
}

constexpr KernelVersion<CrossEntropyArgs> kVersions[] = {{"cross_entropy_v1", nullptr, launch_v1},
                                                         {"cross_entropy_v2", v2_accepts, launch_v2},
                                                         {"cross_entropy_v3", nullptr, launch_v3}};

}  // namespace

void cross_entropy(const CrossEntropyArgs& args, Stream stream) {
  // v3 could do all, but has most threads of a block without a class where there are few.
  v2_accepts(args) ? launch_v2(args, stream) : launch_v3(args, stream);
}

std::span<const KernelVersion<CrossEntropyArgs>> cross_entropy_versions() { return kVersions; }

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
