#include "engine/ops/cross_entropy.h"

#include <cmath>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::parallel_for;
using cpu::require_fp32;

/// One row of logits. Sums and the logarithm are double: of a well-trained network the loss is log(1 + tiny).
struct Row {
  const float* logits;
  int classes;

  /// The first largest logit. A NaN is passed over here and comes back through the exponentials.
  int largest() const {
    int best = 0;
    for (int c = 1; c < classes; ++c)
      if (logits[c] > logits[best]) best = c;
    return best;
  }
};

}  // namespace

void execute(CpuBackend& cpu, const CrossEntropy& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"logits", op.logits}});
  const int batch = op.logits.shape()[0], classes = op.logits.shape()[1];
  const double smoothing = op.label_smoothing, share = smoothing / classes;
  for (int run = 0; run < op.logits.runs(); ++run) {
    const float* all_logits = op.logits.data<float>(run);
    const std::int32_t* labels = op.labels.data<std::int32_t>(run);
    float* losses = op.losses.data<float>(run);
    float* all_gradients = op.logits_grad ? op.logits_grad.data<float>(run) : nullptr;
    std::int32_t* predictions = op.predictions ? op.predictions.data<std::int32_t>(run) : nullptr;
    // An exponential weighs about ten elements of other loops.
    parallel_for(batch, std::int64_t{10} * batch * classes, [&](std::int64_t b) {
      const Row row{all_logits + b * classes, classes};
      float* gradient = all_gradients == nullptr ? nullptr : all_gradients + b * classes;
      const int largest = row.largest(), label = labels[b];
      const float maximum = row.logits[largest];
      const double label_logit =
          double{row.logits[label]} - double{maximum};  // before the gradient overwrites it
      double sum = 0.0, distances = 0.0;
      for (int c = 0; c < classes; ++c) {
        const float shifted = row.logits[c] - maximum, exponential = std::exp(shifted);
        sum += double{exponential};
        distances -= double{shifted};
        if (gradient != nullptr) gradient[c] = exponential;
      }
      double loss = std::log(sum) - (1 - smoothing) * label_logit;
      if (smoothing > 0) loss += share * distances;  // which may be infinite, and is not to become 0·∞
      losses[b] = static_cast<float>(loss);
      if (predictions != nullptr) predictions[b] = largest;
      if (gradient == nullptr) return;
      const double size = static_cast<double>(batch);
      for (int c = 0; c < classes; ++c)
        gradient[c] = static_cast<float>(
            (double{gradient[c]} / sum - (c == label ? 1 - smoothing : 0.0) - share) / size);
    });
  }
}

}  // namespace gnc
