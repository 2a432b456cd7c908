#include <cmath>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {
namespace {

/// The first largest logit of a row.
int prediction_of(const LogicalArray& logits, int b, int classes) {
  int prediction = 0;
  for (int c = 1; c < classes; ++c)
    if (logits(b, c) > logits(b, prediction)) prediction = c;
  return prediction;
}

/// Calls `row(b, label, logits, losses, logits_grad)` for every row of every run, and stores what it wrote.
template <class Op, class Row>
void for_each_row(const Op& op, const Row& row) {
  const int batch = op.logits.shape()[0], classes = op.logits.shape()[1];
  for (int run = 0; run < op.losses.runs(); ++run) {
    const LogicalArray logits(op.logits, run);
    const auto* labels = op.labels.template data<std::int32_t>(run);
    LogicalArray losses(op.losses.shape()), logits_grad(op.logits.shape());
    for (int b = 0; b < batch; ++b) {
      row(b, labels[b], logits, losses, logits_grad);
      if (op.predictions)
        op.predictions.template data<std::int32_t>(run)[b] = prediction_of(logits, b, classes);
    }
    losses.store(op.losses, run);
    if (op.logits_grad) logits_grad.store(op.logits_grad, run);
  }
}

}  // namespace

void execute(ReferenceBackend&, const SquaredError& op) {
  const int batch = op.logits.shape()[0], classes = op.logits.shape()[1];
  for_each_row(
      op, [&](int b, int label, const LogicalArray& logits, LogicalArray& losses, LogicalArray& logits_grad) {
        double sum = 0;
        for (int c = 0; c < classes; ++c) {
          const double residual = logits(b, c) - (c == label ? 1.0 : 0.0);
          sum += residual * residual;
          logits_grad(b, c) = 2 * residual / (double{1} * batch * classes);
        }
        losses(b) = sum / classes;
      });
}

void execute(ReferenceBackend&, const FocalLoss& op) {
  const int batch = op.logits.shape()[0], classes = op.logits.shape()[1];
  const double focusing = op.focusing;
  for_each_row(
      op, [&](int b, int label, const LogicalArray& logits, LogicalArray& losses, LogicalArray& logits_grad) {
        const double largest = logits(b, prediction_of(logits, b, classes));
        double sum = 0, others = 0;
        for (int c = 0; c < classes; ++c) {
          const double exponential = std::exp(logits(b, c) - largest);
          sum += exponential;
          if (c != label) others += exponential;
        }
        // −log p, and 1 − p, without cancellation as p → 1.
        const double distance = largest - logits(b, label);
        const double log_loss = distance == 0 ? std::log1p(others) : std::log(sum) + distance;
        const double wrong = others / sum, right = std::exp(-distance) / sum;
        const double weight = std::pow(wrong, focusing);
        losses(b) = wrong == 0 ? (focusing == 0 ? log_loss : 0) : weight * log_loss;
        // (1−p)^γ − γ·p·(1−p)^(γ−1)·log p. At p = 0 the product of p and log p is its limit.
        const double slope = wrong == 0 || right == 0 ? 0 : focusing * right * log_loss / wrong;
        for (int c = 0; c < classes; ++c) {
          const double probability = std::exp(logits(b, c) - largest) / sum;
          const double residual = c == label ? -wrong : probability;
          logits_grad(b, c) = residual * weight * (1 + slope) / batch;
        }
      });
}

}  // namespace gnc
