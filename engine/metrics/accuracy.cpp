#include "engine/metrics/accuracy.h"

#include "engine/error.h"

namespace gnc {

void ScoreSum::add(std::span<const float> losses, std::span<const std::int32_t> predictions,
                   std::span<const std::int32_t> labels) {
  require<ShapeError>(losses.size() == labels.size() && predictions.size() == labels.size(),
                      "score: {} losses, {} predictions and {} labels; expected as many of each",
                      losses.size(), predictions.size(), labels.size());
  for (std::size_t n = 0; n < labels.size(); ++n) {
    loss_ += static_cast<double>(losses[n]);
    if (predictions[n] == labels[n]) ++correct_;
  }
  samples_ += static_cast<std::int64_t>(labels.size());
}

ClassificationScore ScoreSum::score() const {
  const auto samples = static_cast<double>(samples_);
  return {.cross_entropy = loss_ / samples,
          .accuracy = static_cast<double>(correct_) / samples,
          .samples = samples_};
}

Eigen::MatrixXd confusion_matrix(std::span<const std::int32_t> predictions,
                                 std::span<const std::int32_t> labels, int num_classes) {
  require<ShapeError>(predictions.size() == labels.size(),
                      "confusion matrix: {} predictions and {} labels; expected as many of each",
                      predictions.size(), labels.size());
  Eigen::MatrixXd counts = Eigen::MatrixXd::Zero(num_classes, num_classes);
  for (std::size_t n = 0; n < labels.size(); ++n) {
    require(labels[n] >= 0 && labels[n] < num_classes,
            "confusion matrix: label {} of sample {} is not in [0,{})", labels[n], n, num_classes);
    if (predictions[n] >= 0 && predictions[n] < num_classes) ++counts(labels[n], predictions[n]);
  }
  return counts;
}

}  // namespace gnc
