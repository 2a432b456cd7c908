/// Cross-entropy with smoothed labels, squared error and focal loss: loss, gradient and prediction.
/// Warp per row, three reads of its logits of which two are meant to come from the L1 cache: maximum and
/// prediction; sums; gradient. What differs between the losses is a struct of device functions.
#include "kernels/classification_losses.h"

#include <climits>

#include "kernels/grid.h"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kWarps = 4;  // rows per block
constexpr int kThreads = kWarps * kWarpSize;

/// What is known of a row after its first reading. `largest` ignores NaN; a NaN or +∞ logit comes back
/// through its exponential.
struct Row {
  int label;
  int classes;
  float label_logit;
  float largest;
};

/// Two sums over a row's classes; what they are of is the loss's.
struct Sums {
  float first = 0;
  float second = 0;
};

/// Targets (1−ε)·onehot + ε/C. Sums: exponentials, and (ε/C)·(largest − logit), which no finite logits make
/// overflow.
struct SmoothedCrossEntropy {
  float smoothing;

  struct Finished {
    float loss, sum, share;
  };
  __device__ void add(Sums& sums, const Row& row, int c, float logit) const {
    static_cast<void>(c);
    sums.first += expf(logit - row.largest);
    sums.second += smoothing / static_cast<float>(row.classes) * (row.largest - logit);
  }
  __device__ Finished finish(const Row& row, const Sums& sums) const {
    return {.loss = logf(sums.first) + (1.0f - smoothing) * (row.largest - row.label_logit) + sums.second,
            .sum = sums.first,
            .share = smoothing / static_cast<float>(row.classes)};
  }
  __device__ float gradient(const Row& row, const Finished& finished, int c, float logit) const {
    const float target = finished.share + (c == row.label ? 1.0f - smoothing : 0.0f);
    return expf(logit - row.largest) / finished.sum - target;
  }
};

/// Sums: squares of logit − onehot.
struct SquaredError {
  struct Finished {
    float loss, scale;
  };
  __device__ static float residual(const Row& row, int c, float logit) {
    return logit - (c == row.label ? 1.0f : 0.0f);
  }
  __device__ void add(Sums& sums, const Row& row, int c, float logit) const {
    sums.first += residual(row, c, logit) * residual(row, c, logit);
  }
  __device__ Finished finish(const Row& row, const Sums& sums) const {
    const float classes = static_cast<float>(row.classes);
    return {.loss = sums.first / classes, .scale = 2.0f / classes};
  }
  __device__ float gradient(const Row& row, const Finished& finished, int c, float logit) const {
    return finished.scale * residual(row, c, logit);
  }
};

/// Sums: exponentials of the label and of all others, so that 1 − p does not cancel as p → 1.
struct FocalLoss {
  float focusing;

  struct Finished {
    float loss, factor, sum, wrong;
  };
  __device__ void add(Sums& sums, const Row& row, int c, float logit) const {
    const float exponential = expf(logit - row.largest);
    (c == row.label ? sums.first : sums.second) += exponential;
  }
  __device__ Finished finish(const Row& row, const Sums& sums) const {
    const float sum = sums.first + sums.second, wrong = sums.second / sum, right = sums.first / sum;
    const float distance = row.largest - row.label_logit;
    const float log_loss = distance == 0.0f ? log1pf(sums.second) : logf(sum) + distance;
    const float weight = powf(wrong, focusing);
    // (1−p)^γ − γ·p·(1−p)^(γ−1)·log p = (1−p)^γ·(1 + slope). At p = 0 the product of p and log p is its
    // limit.
    const float slope = wrong == 0.0f || right == 0.0f ? 0.0f : focusing * right * (log_loss / wrong);
    return {.loss = weight * log_loss, .factor = weight * (1.0f + slope), .sum = sum, .wrong = wrong};
  }
  __device__ float gradient(const Row& row, const Finished& finished, int c, float logit) const {
    return finished.factor * (c == row.label ? -finished.wrong : expf(logit - row.largest) / finished.sum);
  }
};

/// Blocks are (32, kWarps), grids (blocks of rows, runs).
template <class Loss>
__global__ void __launch_bounds__(kThreads) classification_loss_v1(ClassificationLossArgs args, Loss loss) {
  const std::int64_t b = std::int64_t{blockIdx.x} * kWarps + threadIdx.y, run = blockIdx.y;
  if (b >= args.batch) return;  // whole warps leave, so the full masks below stay true
  const int lane = static_cast<int>(threadIdx.x);
  const float* const logits = args.logits + run * args.logits_run_stride + b * args.classes;

  // The first largest logit; INT_MAX where none is above −∞, and the first logit is as large as any.
  float largest = -INFINITY;
  int place = INT_MAX;
  for (int c = lane; c < args.classes; c += kWarpSize)
    if (logits[c] > largest) {
      largest = logits[c];
      place = c;
    }
  const int label = args.labels[run * args.labels_run_stride + b];
  const Row row = {.label = label,
                   .classes = args.classes,
                   .label_logit = logits[label],
                   .largest = warp_reduce<Maximum>(largest)};
  const int prediction = warp_reduce<Minimum>(largest == row.largest ? place : INT_MAX);

  Sums sums;
  for (int c = lane; c < args.classes; c += kWarpSize) loss.add(sums, row, c, logits[c]);
  sums.first = warp_reduce<Sum>(sums.first);
  sums.second = warp_reduce<Sum>(sums.second);
  const typename Loss::Finished finished = loss.finish(row, sums);

  if (lane == 0) {
    args.losses[run * args.losses_run_stride + b] = finished.loss;
    if (args.predictions != nullptr)
      args.predictions[run * args.predictions_run_stride + b] = prediction == INT_MAX ? 0 : prediction;
  }
  if (args.logits_grad == nullptr) return;
  float* const logits_grad = args.logits_grad + run * args.logits_grad_run_stride + b * args.classes;
  // All lanes have read the label's logit before the one it belongs to may overwrite it; every other element
  // is last read by the lane that overwrites it.
  __syncwarp();
  const float batch = static_cast<float>(args.batch);
  for (int c = lane; c < args.classes; c += kWarpSize)
    logits_grad[c] = loss.gradient(row, finished, c, logits[c]) / batch;
}

template <class Loss>
void launch_loss(const ClassificationLossArgs& args, const Loss& loss, Stream stream) {
  launch({.grid = {grid_extent(ceil_divide(args.batch, kWarps)), static_cast<unsigned>(args.runs)},
          .block = {kWarpSize, kWarps},
          .stream = stream},
         classification_loss_v1<Loss>, args, loss);
}

}  // namespace

void smoothed_cross_entropy(const ClassificationLossArgs& args, float smoothing, Stream stream) {
  launch_loss(args, SmoothedCrossEntropy{smoothing}, stream);
}

void squared_error(const ClassificationLossArgs& args, Stream stream) {
  launch_loss(args, SquaredError{}, stream);
}

void focal_loss(const ClassificationLossArgs& args, float focusing, Stream stream) {
  launch_loss(args, FocalLoss{focusing}, stream);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
