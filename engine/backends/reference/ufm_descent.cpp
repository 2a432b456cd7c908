#include "engine/ops/ufm_descent.h"

#include <cmath>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {
namespace {

double squared_norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return sum;
}

/// ∂penalty/∂x = weight·x of all of an iterate x.
double penalty_weight(UfmPenalty penalty, double decay, const LogicalArray& iterate) {
  if (penalty == UfmPenalty::kSquared) return decay;
  if (penalty == UfmPenalty::kSphere) return 0;
  const double norm = std::sqrt(squared_norm(iterate.values()));
  return norm == 0 ? 0 : decay / norm;  // not finite where the norm is not
}

/// Scales every row to norm `norm`; a row of zeros stays.
void project_rows(LogicalArray& iterate, const Shape& shape, double norm) {
  for (int row = 0; row < shape[0]; ++row) {
    double sum = 0;
    for (int k = 0; k < shape[1]; ++k) sum += iterate(row, k) * iterate(row, k);
    if (sum == 0) continue;
    for (int k = 0; k < shape[1]; ++k) iterate(row, k) *= norm / std::sqrt(sum);
  }
}

/// x ← x − rate·(gradient + weight·x)
void step(LogicalArray& iterate, const LogicalArray& gradient, double rate, double weight) {
  for (std::size_t i = 0; i < iterate.values().size(); ++i)
    iterate.values()[i] -= rate * (gradient.values()[i] + weight * iterate.values()[i]);
}

}  // namespace

void execute(ReferenceBackend&, const UfmDescent& op) {
  const int samples = op.num_samples(), dim = op.feature_dim(), classes = op.num_classes();
  for (int run = 0; run < op.runs(); ++run) {
    LogicalArray features(op.features, run), classifier(op.classifier, run), losses(op.losses.shape());
    const auto* labels = op.labels.data<std::int32_t>(run);
    for (int iteration = 0; iteration < op.steps; ++iteration) {
      LogicalArray features_grad(op.features.shape()), classifier_grad(op.classifier.shape());
      LogicalArray logits(Shape({1, classes}));
      for (int i = 0; i < samples; ++i) {
        double largest = -INFINITY, sum = 0;
        for (int y = 0; y < classes; ++y) {
          logits(0, y) = 0;
          for (int k = 0; k < dim; ++k) logits(0, y) += classifier(y, k) * features(i, k);
          largest = logits(0, y) > largest ? logits(0, y) : largest;
        }
        // Shifting by the largest logit changes no softmax and keeps every exp in [0,1].
        for (int y = 0; y < classes; ++y) sum += std::exp(logits(0, y) - largest);
        losses(i) = std::log(sum) - (logits(0, labels[i]) - largest);
        for (int y = 0; y < classes; ++y) {
          const double probability = std::exp(logits(0, y) - largest) / sum;
          const double logit_grad = op.cross_entropy_scale * (probability - (y == labels[i] ? 1.0 : 0.0));
          for (int k = 0; k < dim; ++k) {
            features_grad(i, k) += logit_grad * classifier(y, k);
            classifier_grad(y, k) += logit_grad * features(i, k);
          }
        }
      }
      step(features, features_grad, op.feature_lr, penalty_weight(op.penalty, op.feature_decay, features));
      step(classifier, classifier_grad, op.classifier_lr,
           penalty_weight(op.penalty, op.classifier_decay, classifier));
      if (op.penalty != UfmPenalty::kSphere) continue;
      project_rows(features, op.features.shape(), op.norm);
      project_rows(classifier, op.classifier.shape(), op.norm);
    }
    features.store(op.features, run);
    classifier.store(op.classifier, run);
    losses.store(op.losses, run);
  }
}

}  // namespace gnc
