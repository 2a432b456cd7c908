#include <cmath>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {

void execute(ReferenceBackend&, const CrossEntropy& op) {
  const int batch = op.logits.shape()[0], classes = op.logits.shape()[1];
  const double smoothing = op.label_smoothing, share = smoothing / classes;
  for (int run = 0; run < op.losses.runs(); ++run) {
    const LogicalArray logits(op.logits, run);
    const auto* labels = op.labels.data<std::int32_t>(run);
    LogicalArray losses(op.losses.shape()), logits_grad(op.logits.shape());
    for (int b = 0; b < batch; ++b) {
      int prediction = 0;
      for (int c = 1; c < classes; ++c)
        if (logits(b, c) > logits(b, prediction)) prediction = c;
      // Shifting by the largest logit changes no softmax and keeps every exp in [0,1].
      const double largest = logits(b, prediction);
      double sum = 0;
      for (int c = 0; c < classes; ++c) sum += std::exp(logits(b, c) - largest);
      losses(b) = std::log(sum) - (1 - smoothing) * (logits(b, labels[b]) - largest);
      for (int c = 0; c < classes && smoothing > 0; ++c) losses(b) -= share * (logits(b, c) - largest);
      for (int c = 0; c < classes; ++c) {
        const double probability = std::exp(logits(b, c) - largest) / sum;
        logits_grad(b, c) = (probability - (c == labels[b] ? 1 - smoothing : 0.0) - share) / batch;
      }
      if (op.predictions) op.predictions.data<std::int32_t>(run)[b] = prediction;
    }
    losses.store(op.losses, run);
    if (op.logits_grad) logits_grad.store(op.logits_grad, run);
  }
}

}  // namespace gnc
