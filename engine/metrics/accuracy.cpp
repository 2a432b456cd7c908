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

}  // namespace gnc
