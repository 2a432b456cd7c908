/// Equation (3) and Code 1: one step against numerical gradients of the losses as the paper writes them.

#include "models/frame_descent.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace gnc {
namespace {

using Eigen::MatrixXd;
using Loss = std::function<double(const MatrixXd& m, const MatrixXd& z)>;

/// Σ_y -log softmax(Mᵀ z_y)_y, in loops.
double cross_entropy(const MatrixXd& m, const MatrixXd& z) {
  double loss = 0.0;
  for (Eigen::Index y = 0; y < z.cols(); ++y) {
    double sum = 0.0;
    for (Eigen::Index other = 0; other < m.cols(); ++other) sum += std::exp(m.col(other).dot(z.col(y)));
    loss += std::log(sum) - m.col(y).dot(z.col(y));
  }
  return loss;
}

/// Moves (m, z) by -rate times the numerical gradient of the loss.
void step_numerically(const Loss& loss, double rate, MatrixXd& m, MatrixXd& z) {
  constexpr double kStep = 1e-5;
  MatrixXd m_next = m, z_next = z;
  for (Eigen::Index i = 0; i < m.size(); ++i) {
    for (MatrixXd* matrix : {&m, &z}) {
      const double kept = matrix->data()[i];
      matrix->data()[i] = kept + kStep;
      const double up = loss(m, z);
      matrix->data()[i] = kept - kStep;
      const double down = loss(m, z);
      matrix->data()[i] = kept;
      (matrix == &m ? m_next : z_next).data()[i] -= rate * (up - down) / (2.0 * kStep);
    }
  }
  m = m_next;
  z = z_next;
}

// Central differences err by h²·|L'''|/6, about 1e-10 here, and rounding by 1e-15/h = 1e-10; three steps at
// rates < 1.
constexpr double kTolerance = 2e-9;

TEST(Equation3, Steps_Along_The_Gradient_Of_Its_Loss) {
  // Four different numbers, so that none can stand in for another.
  const Equation3Settings settings = {.feature_decay = 0.2,
                                      .classifier_decay = 0.3,
                                      .feature_lr = 0.15,
                                      .classifier_lr = 0.15,
                                      .max_steps = 3,
                                      .gradient_tolerance = 0.0};
  const Loss loss = [&](const MatrixXd& m, const MatrixXd& z) {
    return cross_entropy(m, z) + 0.5 * settings.feature_decay * z.squaredNorm() +
           0.5 * settings.classifier_decay * m.squaredNorm();
  };
  const RandomStream stream(3, "test");
  Equation3Settings none = settings;
  none.max_steps = 0;
  const DescentResult start = descend_equation3(3, 5, stream, none);
  const DescentResult end = descend_equation3(3, 5, stream, settings);
  EXPECT_EQ(end.steps, 3);
  MatrixXd m = start.classifier, z = start.features;
  for (int step = 0; step < 3; ++step) step_numerically(loss, 0.15, m, z);
  EXPECT_LT((m - end.classifier).cwiseAbs().maxCoeff(), kTolerance);
  EXPECT_LT((z - end.features).cwiseAbs().maxCoeff(), kTolerance);
  EXPECT_NEAR(end.cross_entropy, cross_entropy(m, z) / 5, 1e-8);
}

TEST(Equation3, Has_A_Rate_For_Each_Part) {
  Equation3Settings settings;
  settings.max_steps = 0;
  const RandomStream stream(3, "test");
  const DescentResult start = descend_equation3(2, 4, stream, settings);
  settings.max_steps = 1;
  settings.classifier_lr = 0.0;
  const DescentResult end = descend_equation3(2, 4, stream, settings);
  EXPECT_EQ(end.classifier, start.classifier);
  EXPECT_NE(end.features, start.features);
}

TEST(Equation3, Stops_When_The_Gradient_Vanishes) {
  const DescentResult result = descend_equation3(2, 4, RandomStream(1, "test"), {});
  EXPECT_LT(result.gradient_norm, 1e-6);
  EXPECT_LT(result.steps, 20000);
  EXPECT_FALSE(result.is_collapsed());
}

TEST(Code1, Starts_As_Torch_Linear_And_Steps_Along_The_Gradient_Of_Its_Loss) {
  const RandomStream stream(3, "test");
  const DescentResult start = descend_code1(3, 5, stream, 0);
  EXPECT_LE(start.features.cwiseAbs().maxCoeff(), 1.0 / std::sqrt(5.0));    // Linear(C, d): fan-in C
  EXPECT_LE(start.classifier.cwiseAbs().maxCoeff(), 1.0 / std::sqrt(3.0));  // Linear(d, C): fan-in d
  EXPECT_GT(start.classifier.cwiseAbs().maxCoeff(), 1.0 / std::sqrt(5.0));
  const Loss loss = [](const MatrixXd& m, const MatrixXd& z) {
    return cross_entropy(m, z) / 5.0 + 0.1 * (m.norm() + z.norm());
  };
  MatrixXd m = start.classifier, z = start.features;
  for (int step = 0; step < 3; ++step) step_numerically(loss, 0.1, m, z);
  const DescentResult end = descend_code1(3, 5, stream, 3);
  EXPECT_LT((m - end.classifier).cwiseAbs().maxCoeff(), kTolerance);
  EXPECT_LT((z - end.features).cwiseAbs().maxCoeff(), kTolerance);
}

TEST(Code1, Makes_A_Cross_Of_Four_Classes_In_The_Plane_Or_Collapses) {
  // Of 200 seeds 198 make a cross and 2 end at zero.
  int crosses = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const DescentResult result = descend_code1(2, 4, RandomStream(seed, "test"), 10000);
    if (result.is_collapsed()) {
      EXPECT_NEAR(result.cross_entropy, std::log(4.0), 0.02) << "seed " << seed;
      continue;
    }
    ++crosses;
    const MatrixXd unit = result.features.colwise().normalized();
    MatrixXd gram = unit.transpose() * unit;
    gram.diagonal().setConstant(-1.0);
    EXPECT_LT(gram.maxCoeff(), 1e-9) << "seed " << seed;
  }
  EXPECT_GE(crosses, 8);
}

}  // namespace
}  // namespace gnc
