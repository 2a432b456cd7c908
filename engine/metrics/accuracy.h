#pragma once
/// Mean cross-entropy and accuracy of a set of samples, from what the CrossEntropy op returns batch by batch.

#include <Eigen/Core>

#include <cstdint>
#include <span>

namespace gnc {

/// How well a classifier does on a set of samples. Both are NaN for an empty set.
struct ClassificationScore {
  double cross_entropy = 0;  ///< mean of −log softmax(logits)[label], Eq. (1), in nats
  double accuracy = 0;       ///< fraction of samples whose largest logit is their label's, in [0,1]
  std::int64_t samples = 0;
};

/// [C,C]: how many samples of class i (row) were taken for class j (column). Throws ShapeError when the
/// lengths differ, Error for a label outside [0,C); a prediction outside, as of a NaN logit, is not counted.
Eigen::MatrixXd confusion_matrix(std::span<const std::int32_t> predictions,
                                 std::span<const std::int32_t> labels, int num_classes);

/// Sums batches in double and in the order they come, so that the score does not depend on the batch size
/// beyond the losses themselves.
class ScoreSum {
 public:
  /// One batch, all [B]. Throws ShapeError when the lengths differ. A NaN loss makes the cross-entropy NaN.
  void add(std::span<const float> losses, std::span<const std::int32_t> predictions,
           std::span<const std::int32_t> labels);
  ClassificationScore score() const;

 private:
  double loss_ = 0;
  std::int64_t correct_ = 0;
  std::int64_t samples_ = 0;
};

}  // namespace gnc
