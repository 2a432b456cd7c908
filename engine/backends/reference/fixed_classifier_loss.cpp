#include <cmath>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {

void execute(ReferenceBackend&, const FixedClassifierLoss& op) {
  const int batch = op.batch(), in_features = op.in_features(), feature_dim = op.feature_dim(),
            num_classes = op.num_classes();
  for (int run = 0; run < op.runs(); ++run) {
    const LogicalArray x(op.x, run), weights(op.weights, run), bias(op.bias, run), frame(op.frame, run);
    const auto* labels = op.labels.data<std::int32_t>(run);
    LogicalArray losses(op.losses.shape()), x_grad(op.x.shape()), weights_grad(op.weights.shape()),
        bias_grad(op.bias.shape());
    for (int b = 0; b < batch; ++b) {
      const Shape one_feature({1, feature_dim}), one_logit({1, num_classes});
      LogicalArray features(one_feature), features_grad(one_feature), logits(one_logit);
      for (int k = 0; k < feature_dim; ++k) {
        features(0, k) = bias(k);
        for (int i = 0; i < in_features; ++i) features(0, k) += x(b, i) * weights(k, i);
      }
      for (int y = 0; y < num_classes; ++y)
        for (int k = 0; k < feature_dim; ++k) logits(0, y) += frame(y, k) * features(0, k);

      // Shifting by the largest logit changes no softmax and keeps every exp in [0,1].
      double largest = logits(0, 0), sum = 0;
      for (int y = 1; y < num_classes; ++y) largest = logits(0, y) > largest ? logits(0, y) : largest;
      for (int y = 0; y < num_classes; ++y) sum += std::exp(logits(0, y) - largest);
      losses(b) = std::log(sum) - (logits(0, labels[b]) - largest);
      for (int y = 0; y < num_classes; ++y) {
        const double probability = std::exp(logits(0, y) - largest) / sum;
        const double logit_grad = (probability - (y == labels[b] ? 1.0 : 0.0)) / batch;
        for (int k = 0; k < feature_dim; ++k) features_grad(0, k) += logit_grad * frame(y, k);
      }

      for (int k = 0; k < feature_dim; ++k) {
        bias_grad(k) += features_grad(0, k);
        for (int i = 0; i < in_features; ++i) {
          weights_grad(k, i) += features_grad(0, k) * x(b, i);
          x_grad(b, i) += features_grad(0, k) * weights(k, i);
        }
      }
    }
    losses.store(op.losses, run);
    x_grad.store(op.x_grad, run);
    weights_grad.store(op.weights_grad, run);
    bias_grad.store(op.bias_grad, run);
  }
}

}  // namespace gnc
