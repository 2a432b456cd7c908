#include "models/ufm_continuation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"
#include "engine/linalg.h"
#include "models/frame_constructions.h"
#include "models/lbfgs.h"

namespace gnc {
namespace {

Eigen::VectorXd relative_sizes(const std::vector<int>& class_sizes) {
  Eigen::VectorXd sizes(static_cast<Eigen::Index>(class_sizes.size()));
  for (Eigen::Index y = 0; y < sizes.size(); ++y) sizes[y] = class_sizes[static_cast<std::size_t>(y)];
  return sizes / sizes.mean();
}

/// M and Z side by side [d,2C], as L-BFGS has them.
Eigen::MatrixXd side_by_side(const UfmMinimum& point) {
  Eigen::MatrixXd x(point.classifier.rows(), 2 * point.classifier.cols());
  x << point.classifier, point.features;
  return x;
}

void take_apart(const Eigen::MatrixXd& x, UfmMinimum& point) {
  const Eigen::Index classes = x.cols() / 2;
  point.classifier = x.leftCols(classes);
  point.features = x.rightCols(classes);
}

/// γ_ij = ⟨M_i − M_j, z_i⟩ at (j, i), so that a feature's margins lie together.
Eigen::MatrixXd margins(const Eigen::MatrixXd& classifier, const Eigen::MatrixXd& features) {
  Eigen::MatrixXd result = -(classifier.transpose() * features);
  const Eigen::RowVectorXd own = -result.diagonal();
  result.rowwise() += own;
  return result;
}

/// A loss Σ_i φ_i(margins of z_i) + ω·Σ_y (|M_y|² + r_y|z_y|²)/2; `pull` receives −∂φ/∂γ at (j, i) and has a
/// zero diagonal.
template <class Phi>
double value_and_gradient(const Eigen::MatrixXd& x, const Eigen::VectorXd& weights, double decay,
                          const Phi& phi, Eigen::MatrixXd& gradient) {
  const Eigen::Index classes = x.cols() / 2;
  const auto m = x.leftCols(classes);
  const auto z = x.rightCols(classes);
  Eigen::MatrixXd pull(classes, classes);
  double value = phi(margins(m, z), pull);
  // γ_ij falls with logit j of feature i and rises with its own.
  pull.diagonal() = -pull.colwise().sum().transpose();
  gradient.leftCols(classes).noalias() = z * pull.transpose();
  gradient.rightCols(classes).noalias() = m * pull;
  gradient.leftCols(classes) += decay * m;
  gradient.rightCols(classes) += decay * z * weights.asDiagonal();
  value += 0.5 * decay * (m.squaredNorm() + (z.colwise().squaredNorm() * weights).value());
  return value;
}

/// r_y-weighted cross-entropy log(1 + Σ_j exp(−γ_ij)) of every feature.
double cross_entropy(const Eigen::MatrixXd& gamma, const Eigen::VectorXd& weights, Eigen::MatrixXd& pull) {
  double value = 0;
  for (Eigen::Index i = 0; i < gamma.cols(); ++i) {
    // The own class has margin 0, so that the largest exponent is 0 or more.
    const double top = std::max(0.0, -gamma.col(i).minCoeff());
    pull.col(i) = (-gamma.col(i).array() - top).exp();
    pull(i, i) = 0;
    const double others = pull.col(i).sum();
    // log1p keeps the digits where the others are small, which is where the limit is.
    value += weights[i] * (top > 0 ? top + std::log(std::exp(-top) + others) : std::log1p(others));
    pull.col(i) *= weights[i] / (std::exp(-top) + others);
  }
  return value;
}

constexpr int kIterations = 20'000;  // of L-BFGS at one decay

}  // namespace

double UfmMinimum::smallest_margin() const {
  Eigen::MatrixXd gamma = margins(classifier, features);
  gamma.diagonal().setConstant(std::numeric_limits<double>::infinity());
  return gamma.minCoeff();
}

double UfmMinimum::cost_of_margin(const Eigen::VectorXd& weights) const {
  const double margin = smallest_margin();
  if (!(margin > 0)) return std::numeric_limits<double>::quiet_NaN();
  return 0.5 * (classifier.squaredNorm() + (features.colwise().squaredNorm() * weights).value()) / margin;
}

std::vector<UfmMinimum> follow_minimum(int dim, const std::vector<int>& class_sizes,
                                       const RandomStream& stream, const std::vector<double>& decays) {
  const Eigen::VectorXd weights = relative_sizes(class_sizes);
  Eigen::MatrixXd x = gaussian_matrix(stream, dim, 2 * weights.size()) / std::sqrt(static_cast<double>(dim));
  std::vector<UfmMinimum> path;
  for (const double decay : decays) {
    const auto function = [&](const Eigen::MatrixXd& at, Eigen::MatrixXd& gradient) {
      return value_and_gradient(
          at, weights, decay,
          [&](const Eigen::MatrixXd& gamma, Eigen::MatrixXd& pull) {
            return cross_entropy(gamma, weights, pull);
          },
          gradient);
    };
    UfmMinimum minimum{.feature_decay = decay};
    // The gradient's two parts are each about ω·ρ.
    minimum.iterations = minimize_lbfgs(function, x, {kIterations, 1e-11 * decay});
    if (!path.empty()) minimum.iterations += path.back().iterations;
    Eigen::MatrixXd gradient(x.rows(), x.cols());
    minimum.loss = function(x, gradient);
    minimum.residual = gradient.cwiseAbs().maxCoeff();
    take_apart(x, minimum);
    path.push_back(std::move(minimum));
  }
  return path;
}

UfmMinimum minimize_hard_margin(const UfmMinimum& start, const std::vector<int>& class_sizes) {
  const Eigen::VectorXd weights = relative_sizes(class_sizes);
  const double margin = start.smallest_margin();
  require(margin > 0,
          "the start of the hard-margin problem does not separate the classes (smallest margin {})", margin);
  Eigen::MatrixXd x = side_by_side(start) / std::sqrt(margin);
  const Eigen::Index classes = start.classifier.cols();

  // Multipliers u_ij, updated to u_ij exp(−β(γ_ij − 1)) at each minimum of
  //   Σ_y (|M_y|² + r_y|z_y|²)/2 + Σ_ij u_ij exp(−β(γ_ij − 1))/β.
  // Where an active constraint's multiplier is 0 it only falls as 1/(rounds·β), so β rises.
  constexpr double kFirstSharpness = 30.0, kGrowth = 1.5, kLastSharpness = 1e6;
  constexpr double kFaintest = 1e-30;
  constexpr int kRounds = 60;
  constexpr double kDone = 1e-12;
  // Rounding of the margins moves the gradient by about sharpness·eps.
  constexpr double kRounding = 1e-15;
  constexpr int kIterationsPerRound = 500;
  Eigen::MatrixXd multipliers = Eigen::MatrixXd::Constant(classes, classes, 0.1);
  multipliers.diagonal().setZero();
  UfmMinimum best{.residual = std::numeric_limits<double>::infinity()};
  int iterations = start.iterations;
  double sharpness = kFirstSharpness;
  for (int round = 0; round < kRounds && best.residual > kDone; ++round) {
    const auto penalty = [&](const Eigen::MatrixXd& gamma, Eigen::MatrixXd& pull) {
      pull = multipliers.array() * (-sharpness * (gamma.array() - 1.0)).min(60.0).exp();
      return pull.sum() / sharpness;
    };
    const auto function = [&](const Eigen::MatrixXd& at, Eigen::MatrixXd& gradient) {
      return value_and_gradient(at, weights, 1.0, penalty, gradient);
    };
    iterations += minimize_lbfgs(function, x, {kIterationsPerRound, 1e-13 + kRounding * sharpness});
    UfmMinimum point;
    take_apart(x, point);
    const Eigen::MatrixXd gamma = margins(point.classifier, point.features);
    penalty(gamma, multipliers);
    multipliers = multipliers.cwiseMax(kFaintest);
    multipliers.diagonal().setZero();
    sharpness = std::min(kGrowth * sharpness, kLastSharpness);
    // Stationarity of the Lagrangian at the new multipliers, feasibility and complementarity.
    Eigen::MatrixXd gradient(x.rows(), x.cols());
    value_and_gradient(
        x, weights, 1.0,
        [&](const Eigen::MatrixXd&, Eigen::MatrixXd& pull) {
          pull = multipliers;
          return 0.0;
        },
        gradient);
    double residual = gradient.cwiseAbs().maxCoeff();
    for (Eigen::Index i = 0; i < classes; ++i)
      for (Eigen::Index j = 0; j < classes; ++j)
        if (i != j)
          residual = std::max({residual, 1.0 - gamma(j, i), multipliers(j, i) * std::abs(gamma(j, i) - 1.0)});
    if (residual >= best.residual) continue;
    point.residual = residual;
    best = std::move(point);
  }
  best.iterations = iterations;
  best.loss = best.cost_of_margin(weights) * best.smallest_margin();
  return best;
}

UfmMinimum near_antipodal_point(int dim, int classes) {
  require<UsageError>(classes >= dim + 2 && classes < 2 * dim,
                      "the near-antipodal point is for d+2 <= C < 2d, not for C = {}, d = {}", classes, dim);
  const Eigen::Index pairs = classes - dim, singles = 2 * dim - classes;
  const auto k = static_cast<double>(pairs), m = static_cast<double>(singles);
  // With c² = (m−1)/m singles have margin 1 from each other, and with p(a+b) = 1/m from the pairs. The value
  // 2k + m − 1 + k a² + m(b² + p²)/2 is least at these.
  const double s = std::sqrt(std::sqrt((2 * k + m) / (2 * k)) / m);  // a + b
  const double a = s * m / (2 * k + m), b = s - a, p = 1.0 / (m * s);
  UfmMinimum point{.classifier = Eigen::MatrixXd::Zero(dim, classes),
                   .features = Eigen::MatrixXd::Zero(dim, classes)};
  for (Eigen::Index pair = 0; pair < pairs; ++pair) {
    for (const double sign : {1.0, -1.0}) {
      const Eigen::Index y = 2 * pair + (sign > 0 ? 0 : 1);
      point.classifier(pair, y) = point.features(pair, y) = sign;
      point.classifier(pairs, y) = a;
    }
  }
  Eigen::MatrixXd simplex = Eigen::MatrixXd::Zero(dim - pairs - 1, singles);
  if (singles > 1)
    simplex =
        std::sqrt((m - 1) / m) * simplex_frame(static_cast<int>(singles) - 1, static_cast<int>(singles));
  for (Eigen::Index i = 0; i < singles; ++i) {
    const Eigen::Index y = 2 * pairs + i;
    point.classifier(pairs, y) = -b;
    point.features(pairs, y) = -p;
    point.classifier.col(y).tail(singles - 1) = simplex.col(i);
    point.features.col(y).tail(singles - 1) = simplex.col(i);
  }
  point.loss = 0.5 * (point.classifier.squaredNorm() + point.features.squaredNorm());
  return point;
}

}  // namespace gnc
