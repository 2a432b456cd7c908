#include "models/frame_descent.h"

#include <cmath>

#include "engine/linalg.h"

namespace gnc {
namespace {

/// Softmax cross-entropy of features Z as samples, sample y of class y, under logits = MᵀZ.
class CrossEntropyOfFeatures {
 public:
  explicit CrossEntropyOfFeatures(Eigen::Index classes) : error_(classes, classes) {}

  /// Summed over samples, nats. Leaves softmax - one-hot in `error()`; column y belongs to sample y.
  double evaluate(const Eigen::MatrixXd& classifier, const Eigen::MatrixXd& features) {
    error_.noalias() = classifier.transpose() * features;
    double loss = 0.0;
    for (Eigen::Index y = 0; y < error_.cols(); ++y) {
      auto logits = error_.col(y).array();
      const double top = logits.maxCoeff();
      const double own = logits[y] - top;
      logits = (logits - top).exp();
      const double sum = logits.sum();
      loss += std::log(sum) - own;
      logits /= sum;
      logits[y] -= 1.0;
    }
    return loss;
  }
  const Eigen::MatrixXd& error() const { return error_; }

 private:
  Eigen::MatrixXd error_;  // [C,C]
};

Eigen::MatrixXd uniform_matrix(const RandomStream& stream, std::uint64_t first, Eigen::Index rows,
                               Eigen::Index columns, double bound) {
  Eigen::MatrixXd matrix(rows, columns);
  for (Eigen::Index i = 0; i < matrix.size(); ++i) {
    matrix.data()[i] = bound * (2.0 * stream.uniform(first + static_cast<std::uint64_t>(i)) - 1.0);
  }
  return matrix;
}

}  // namespace

bool DescentResult::is_collapsed() const {
  // Norms below 0.1 leave logits below 0.01: the softmax is uniform to a per cent.
  constexpr double kVanished = 0.1;
  return !(features.colwise().norm().maxCoeff() >= kVanished &&
           classifier.colwise().norm().maxCoeff() >= kVanished);
}

DescentResult descend_equation3(int dim, int classes, const RandomStream& stream,
                                const Equation3Settings& settings) {
  const Eigen::MatrixXd start =
      gaussian_matrix(stream, dim, 2 * classes) / std::sqrt(static_cast<double>(dim));
  DescentResult result{start.leftCols(classes), start.rightCols(classes)};
  Eigen::MatrixXd& m = result.classifier;
  Eigen::MatrixXd& z = result.features;
  CrossEntropyOfFeatures cross_entropy(classes);
  Eigen::MatrixXd m_gradient(dim, classes), z_gradient(dim, classes);
  for (;; ++result.steps) {
    result.cross_entropy = cross_entropy.evaluate(m, z) / classes;
    z_gradient.noalias() = m * cross_entropy.error();
    z_gradient += settings.feature_decay * z;
    m_gradient.noalias() = z * cross_entropy.error().transpose();
    m_gradient += settings.classifier_decay * m;
    result.gradient_norm = std::sqrt(m_gradient.squaredNorm() + z_gradient.squaredNorm());
    if (result.steps == settings.max_steps || result.gradient_norm < settings.gradient_tolerance)
      return result;
    z -= settings.feature_lr * z_gradient;  // Eq. (4): Z <- Z - α ∇_Z L
    m -= settings.classifier_lr * m_gradient;
  }
}

DescentResult descend_code1(int dim, int classes, const RandomStream& stream, int steps) {
  constexpr double kPenalty = 0.1, kLearningRate = 0.1;
  // torch.nn.Linear draws from U(-1/√fan_in, 1/√fan_in): fan-in C for `feature`, d for `classifier`.
  const std::uint64_t entries = static_cast<std::uint64_t>(dim) * static_cast<std::uint64_t>(classes);
  DescentResult result{
      uniform_matrix(stream, entries, dim, classes, 1.0 / std::sqrt(static_cast<double>(dim))),
      uniform_matrix(stream, 0, dim, classes, 1.0 / std::sqrt(static_cast<double>(classes)))};
  Eigen::MatrixXd& m = result.classifier;
  Eigen::MatrixXd& z = result.features;
  CrossEntropyOfFeatures cross_entropy(classes);
  Eigen::MatrixXd m_gradient(dim, classes), z_gradient(dim, classes);
  for (;; ++result.steps) {
    result.cross_entropy = cross_entropy.evaluate(m, z) / classes;
    const double m_norm = m.norm(), z_norm = z.norm();
    // ∂‖Z‖_F = Z/‖Z‖_F, and 0 at zero, as torch has it.
    z_gradient.noalias() = m * cross_entropy.error() / classes;
    if (z_norm > 0.0) z_gradient += kPenalty / z_norm * z;
    m_gradient.noalias() = z * cross_entropy.error().transpose() / classes;
    if (m_norm > 0.0) m_gradient += kPenalty / m_norm * m;
    result.gradient_norm = std::sqrt(m_gradient.squaredNorm() + z_gradient.squaredNorm());
    if (result.steps == steps) return result;
    z -= kLearningRate * z_gradient;
    m -= kLearningRate * m_gradient;
  }
}

}  // namespace gnc
