#include <cmath>
#include <cstdint>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::parallel_for;
using cpu::require_fp32;

/// One row of a loss. `logits_grad`, null where not wanted, may be `logits`.
struct Row {
  const float* logits;
  float* logits_grad;
  int classes;
  int label;

  /// The first largest logit; a NaN behind the first one is passed over.
  int largest() const {
    int best = 0;
    for (int c = 1; c < classes; ++c)
      if (logits[c] > logits[best]) best = c;
    return best;
  }
};

/// losses[b] = loss_of(row b), which writes the gradient too; the prediction is taken before.
template <class Op, class LossOf>
void for_each_row(const Op& op, const LossOf& loss_of) {
  require_fp32(op.kName, {{"logits", op.logits}});
  const int batch = op.logits.shape()[0], classes = op.logits.shape()[1];
  for (int run = 0; run < op.logits.runs(); ++run) {
    const float* logits = op.logits.template data<float>(run);
    const auto* labels = op.labels.template data<std::int32_t>(run);
    float* losses = op.losses.template data<float>(run);
    float* gradients = op.logits_grad ? op.logits_grad.template data<float>(run) : nullptr;
    auto* predictions = op.predictions ? op.predictions.template data<std::int32_t>(run) : nullptr;
    parallel_for(batch, std::int64_t{10} * batch * classes, [&](std::int64_t b) {
      const Row row{.logits = logits + b * classes,
                    .logits_grad = gradients == nullptr ? nullptr : gradients + b * classes,
                    .classes = classes,
                    .label = labels[b]};
      const int largest = row.largest();
      losses[b] = static_cast<float>(loss_of(row, row.logits[largest]));
      if (predictions != nullptr) predictions[b] = largest;
    });
  }
}

}  // namespace

void execute(CpuBackend& cpu, const SquaredError& op) {
  static_cast<void>(cpu);
  const double scale = 2.0 / (double{1} * op.logits.shape()[0] * op.logits.shape()[1]);
  for_each_row(op, [&](const Row& row, float) {
    double sum = 0;
    for (int c = 0; c < row.classes; ++c) {
      const float residual = row.logits[c] - (c == row.label ? 1.0F : 0.0F);
      sum += double{residual} * double{residual};
      if (row.logits_grad != nullptr) row.logits_grad[c] = static_cast<float>(scale * double{residual});
    }
    return sum / row.classes;
  });
}

void execute(CpuBackend& cpu, const FocalLoss& op) {
  static_cast<void>(cpu);
  const double batch = op.logits.shape()[0], focusing = op.focusing;
  for_each_row(op, [&](const Row& row, float largest) {
    const double distance = double{largest} - double{row.logits[row.label]};
    double others = 0, of_label = 0;
    for (int c = 0; c < row.classes; ++c) {
      const float exponential = std::exp(row.logits[c] - largest);
      (c == row.label ? of_label : others) += double{exponential};
      if (row.logits_grad != nullptr) row.logits_grad[c] = exponential;
    }
    // −log p, and 1 − p, without cancellation as p → 1.
    const double sum = others + of_label, wrong = others / sum, right = of_label / sum;
    const double log_loss = distance == 0 ? std::log1p(others) : std::log(sum) + distance;
    const double weight = std::pow(wrong, focusing);
    // (1−p)^γ − γ·p·(1−p)^(γ−1)·log p = (1−p)^γ·(1 + slope). At p = 0 the product of p and log p is its
    // limit.
    const double slope = wrong == 0 || right == 0 ? 0 : focusing * right * log_loss / wrong;
    if (row.logits_grad != nullptr) {
      const double factor = weight * (1 + slope) / batch;
      for (int c = 0; c < row.classes; ++c)
        row.logits_grad[c] =
            static_cast<float>(factor * (c == row.label ? -wrong : double{row.logits_grad[c]} / sum));
    }
    return weight * log_loss;
  });
}

}  // namespace gnc
