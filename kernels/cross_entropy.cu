/// Fused softmax cross-entropy: loss, gradient and prediction, Eq. (1).
/// One warp per row. A row is read from memory once (the later reads hit the L1 cache); probabilities are
/// never stored. v1 warp per row: maximum, sum, gradient
#include "kernels/cross_entropy.h"

#include <climits>

#include "kernels/reduce.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kWarps = 4;  // rows per block
constexpr int kThreads = kWarps * kWarpSize;

/// grid (blocks of rows, runs), block (32, kWarps).
__global__ void __launch_bounds__(kThreads) cross_entropy_v1(CrossEntropyArgs args) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarps + threadIdx.y;
  if (row >= args.batch) return;  // whole warps leave, so the full masks below stay true
  const int lane = static_cast<int>(threadIdx.x);
  const std::int64_t run = blockIdx.y;
  // Not __restrict__: logits_grad may be logits.
  const float* const logits = args.logits + run * args.logits_run_stride + row * args.classes;
  const int label = args.labels[run * args.labels_run_stride + row];
  const float label_logit = logits[label];

  float largest = -INFINITY;
  int place = INT_MAX;
  for (int c = lane; c < args.classes; c += kWarpSize) {
    const float logit = logits[c];
    if (logit > largest) {
      largest = logit;
      place = c;
    }
  }
  const float row_largest = warp_max(largest);
  // No logit above −∞ leaves every place at INT_MAX: the first one is as large as any.
  const int first_largest = warp_min(largest == row_largest ? place : INT_MAX);

  // A NaN or +∞ among the logits makes this sum NaN, and with it the loss.
  float sum = 0;
  for (int c = lane; c < args.classes; c += kWarpSize) sum += expf(logits[c] - row_largest);
  sum = warp_sum(sum);

  if (lane == 0) {
    args.losses[run * args.losses_run_stride + row] = logf(sum) - (label_logit - row_largest);
    if (args.predictions != nullptr)
      args.predictions[run * args.predictions_run_stride + row] =
          first_largest == INT_MAX ? 0 : first_largest;
  }
  if (args.logits_grad == nullptr) return;
  float* const logits_grad = args.logits_grad + run * args.logits_grad_run_stride + row * args.classes;
  const float batch = static_cast<float>(args.batch);
  // All lanes have read the label's logit before the one it belongs to may overwrite it; every other element
  // is last read by the lane that overwrites it.
  __syncwarp();
  for (int c = lane; c < args.classes; c += kWarpSize) {
    const float probability = expf(logits[c] - row_largest) / sum;
    logits_grad[c] = (probability - (c == label ? 1.0f : 0.0f)) / batch;
  }
}

}  // namespace

void cross_entropy(const CrossEntropyArgs& args, Stream stream) {
  const auto blocks = static_cast<unsigned>((args.batch + kWarps - 1) / kWarps);
  launch({.grid = {blocks, static_cast<unsigned>(args.runs)}, .block = {kWarpSize, kWarps}, .stream = stream},
         cross_entropy_v1, args);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
