#include "models/frame_polish.h"

#include <cmath>
#include <limits>
#include <vector>

namespace gnc {
namespace {

constexpr Eigen::Index kMostUnknowns = 1000;

/// A pair at the maximum: columns i < j and the sign with which their product counts.
struct ActivePair {
  Eigen::Index i, j;
  double sign;
};

std::vector<ActivePair> active_pairs(const Eigen::MatrixXd& unit, FrameObjective objective,
                                     double tolerance) {
  const Eigen::MatrixXd gram = unit.transpose() * unit;
  const double threshold = largest_correlation(unit, objective) - tolerance;
  std::vector<ActivePair> pairs;
  for (Eigen::Index j = 1; j < gram.cols(); ++j) {
    for (Eigen::Index i = 0; i < j; ++i) {
      if (gram(i, j) >= threshold) {
        pairs.push_back({i, j, 1.0});
      } else if (objective == FrameObjective::kAbsolute && -gram(i, j) >= threshold) {
        pairs.push_back({i, j, -1.0});
      }
    }
  }
  return pairs;
}

/// The Karush-Kuhn-Tucker system of: minimise t subject to s_ij ⟨x_i,x_j⟩ = t for the active pairs and |x_i|
/// = 1. Unknowns: the columns that have an active pair, t, then a multiplier for each constraint.
class ActiveSetNewton {
 public:
  ActiveSetNewton(const Eigen::MatrixXd& unit, std::vector<ActivePair> pairs)
      : dim_(unit.rows()), pairs_(std::move(pairs)), slot_(static_cast<std::size_t>(unit.cols()), -1) {
    for (const ActivePair& pair : pairs_) {
      for (const Eigen::Index column : {pair.i, pair.j}) {
        Eigen::Index& slot = slot_[static_cast<std::size_t>(column)];
        if (slot < 0) slot = num_columns_++;
      }
    }
    num_primal_ = num_columns_ * dim_ + 1;
    num_constraints_ = static_cast<Eigen::Index>(pairs_.size()) + num_columns_;
  }

  Eigen::Index unknowns() const { return num_primal_ + num_constraints_; }

  /// One Newton step from `unit`; columns come back normalised. False when it leads nowhere (not finite, or
  /// too far).
  bool step(Eigen::MatrixXd& unit) {
    linearize(unit);
    if (multipliers_.size() == 0) {
      // Least-squares multipliers: ∇t + Jᵀ λ = 0.
      Eigen::VectorXd objective = Eigen::VectorXd::Zero(num_primal_);
      objective[num_primal_ - 1] = -1.0;
      multipliers_ = jacobian_.transpose().completeOrthogonalDecomposition().solve(objective);
    }
    Eigen::MatrixXd system = Eigen::MatrixXd::Zero(unknowns(), unknowns());
    fill_hessian(system);
    system.topRightCorner(num_primal_, num_constraints_) = jacobian_.transpose();
    system.bottomLeftCorner(num_constraints_, num_primal_) = jacobian_;
    // Newton in the form that solves for the new multipliers instead of their change; the residual of
    // stationarity at the old multipliers is subtracted so that the solution is the *change* of least norm in
    // every unknown.
    Eigen::VectorXd residual(unknowns());
    residual.head(num_primal_) = -(jacobian_.transpose() * multipliers_);
    residual[num_primal_ - 1] -= 1.0;
    residual.tail(num_constraints_) = -violations_;
    Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd> solver;
    solver.setThreshold(1e-10);
    solver.compute(system);
    const Eigen::VectorXd change = solver.solve(residual);
    constexpr double kFarthest = 1e-2;
    if (!change.allFinite() || change.head(num_primal_).cwiseAbs().maxCoeff() > kFarthest) return false;
    for (std::size_t column = 0; column < slot_.size(); ++column) {
      if (slot_[column] < 0) continue;
      auto x = unit.col(static_cast<Eigen::Index>(column));
      x += change.segment(slot_[column] * dim_, dim_);
      x.normalize();
    }
    multipliers_ += change.tail(num_constraints_);
    return true;
  }

 private:
  Eigen::Index slot(Eigen::Index column) const { return slot_[static_cast<std::size_t>(column)]; }

  /// Jacobian and violations of the constraints; t is the mean of the active products.
  void linearize(const Eigen::MatrixXd& unit) {
    jacobian_.setZero(num_constraints_, num_primal_);
    violations_.setZero(num_constraints_);
    double mean = 0.0;
    Eigen::Index row = 0;
    for (const ActivePair& pair : pairs_) {
      const auto xi = unit.col(pair.i), xj = unit.col(pair.j);
      jacobian_.row(row).segment(slot(pair.i) * dim_, dim_) = pair.sign * xj.transpose();
      jacobian_.row(row).segment(slot(pair.j) * dim_, dim_) = pair.sign * xi.transpose();
      jacobian_(row, num_primal_ - 1) = -1.0;
      violations_[row] = pair.sign * xi.dot(xj);
      mean += violations_[row] / static_cast<double>(pairs_.size());
      ++row;
    }
    violations_.head(row).array() -= mean;
    for (Eigen::Index column = 0; column < unit.cols(); ++column) {
      if (slot(column) < 0) continue;
      const auto x = unit.col(column);
      jacobian_.row(row + slot(column)).segment(slot(column) * dim_, dim_) = x.transpose();
      violations_[row + slot(column)] = 0.5 * (x.squaredNorm() - 1.0);
    }
  }

  /// Second derivatives of the Lagrangian: λ_ij s_ij I in block (i,j), μ_i I in block (i,i).
  void fill_hessian(Eigen::MatrixXd& system) const {
    Eigen::Index row = 0;
    for (const ActivePair& pair : pairs_) {
      const Eigen::Index i = slot(pair.i) * dim_, j = slot(pair.j) * dim_;
      system.block(i, j, dim_, dim_).diagonal().array() += pair.sign * multipliers_[row];
      system.block(j, i, dim_, dim_).diagonal().array() += pair.sign * multipliers_[row];
      ++row;
    }
    for (Eigen::Index column = 0; column < num_columns_; ++column, ++row) {
      system.block(column * dim_, column * dim_, dim_, dim_).diagonal().array() += multipliers_[row];
    }
  }

  Eigen::Index dim_;
  std::vector<ActivePair> pairs_;
  std::vector<Eigen::Index> slot_;  // of each column among the unknowns; -1: no active pair
  Eigen::Index num_columns_ = 0;
  Eigen::Index num_primal_ = 0;
  Eigen::Index num_constraints_ = 0;
  Eigen::MatrixXd jacobian_;     // [constraints, primal]
  Eigen::VectorXd violations_;   // [constraints]
  Eigen::VectorXd multipliers_;  // [constraints]
};

/// F = (1/β) log Σ_{i<j} exp(β s_ij g_ij) of unit vectors with its gradient and Hessian on the product of
/// spheres. Pairs far below the largest product count for nothing and are left out.
class SharpSurrogate {
 public:
  SharpSurrogate(FrameObjective objective, Eigen::Index dim, Eigen::Index classes)
      : objective_(objective), dim_(dim), gradient_(dim * classes), hessian_(dim * classes, dim * classes) {}

  const Eigen::VectorXd& gradient() const { return gradient_; }
  const Eigen::MatrixXd& hessian() const { return hessian_; }

  double value(const Eigen::MatrixXd& unit, double beta) {
    constexpr double kFaintest = 50.0;
    largest_ = largest_correlation(unit, objective_);
    pairs_ = active_pairs(unit, objective_, kFaintest / beta);
    shares_.resize(pairs_.size());
    double sum = 0.0;
    for (std::size_t p = 0; p < pairs_.size(); ++p) {
      const auto& [i, j, sign] = pairs_[p];
      shares_[p] = std::exp(beta * (sign * unit.col(i).dot(unit.col(j)) - largest_));
      sum += shares_[p];
    }
    for (double& share : shares_) share /= sum;
    return largest_ + std::log(sum) / beta;
  }

  /// Derivatives at the point whose value was computed last, `unit`.
  void differentiate(const Eigen::MatrixXd& unit, double beta) {
    gradient_.setZero();
    hessian_.setZero();
    const auto identity = Eigen::MatrixXd::Identity(dim_, dim_);
    for (std::size_t p = 0; p < pairs_.size(); ++p) {
      const auto& [i, j, sign] = pairs_[p];
      const double share = shares_[p], product = sign * unit.col(i).dot(unit.col(j));
      // Tangent gradients of s·⟨x_i,x_j⟩ in x_i and x_j.
      const Eigen::VectorXd a = sign * unit.col(j) - product * unit.col(i);
      const Eigen::VectorXd b = sign * unit.col(i) - product * unit.col(j);
      gradient_.segment(i * dim_, dim_) += share * a;
      gradient_.segment(j * dim_, dim_) += share * b;
      auto block = [&](Eigen::Index row, Eigen::Index column) {
        return hessian_.block(row * dim_, column * dim_, dim_, dim_);
      };
      block(i, i) += share * (beta * a * a.transpose() - product * identity);
      block(j, j) += share * (beta * b * b.transpose() - product * identity);
      block(j, i) += share * beta * b * a.transpose();
      // The second derivative of the product itself, between tangent vectors at x_j and at x_i.
      block(j, i) += share * sign * identity;
    }
    hessian_.triangularView<Eigen::Upper>() = hessian_.transpose();
    hessian_ -= beta * gradient_ * gradient_.transpose();
    for (Eigen::Index i = 0; i < unit.cols(); ++i) {
      // Tangent on both sides.
      const auto x = unit.col(i);
      auto rows = hessian_.middleRows(i * dim_, dim_);
      rows -= x * (x.transpose() * rows).eval();
      auto columns = hessian_.middleCols(i * dim_, dim_);
      columns -= (columns * x).eval() * x.transpose();
    }
  }

 private:
  FrameObjective objective_;
  Eigen::Index dim_;
  double largest_ = 0.0;
  std::vector<ActivePair> pairs_;
  std::vector<double> shares_;
  Eigen::VectorXd gradient_;  // [C·d]
  Eigen::MatrixXd hessian_;   // [C·d, C·d]
};

}  // namespace

double largest_correlation(const Eigen::MatrixXd& unit, FrameObjective objective) {
  const Eigen::MatrixXd gram = unit.transpose() * unit;
  double largest = -std::numeric_limits<double>::infinity();
  for (Eigen::Index j = 1; j < gram.cols(); ++j) {
    const auto above = gram.col(j).head(j).array();
    largest =
        std::max(largest, objective == FrameObjective::kAbsolute ? above.abs().maxCoeff() : above.maxCoeff());
  }
  return largest;
}

Eigen::MatrixXd sharpen_correlation(const Eigen::MatrixXd& vectors, FrameObjective objective,
                                    double first_sharpness) {
  constexpr double kLast = 1 << 30;
  constexpr int kMostSteps = 100;
  const Eigen::Index entries = vectors.size();
  Eigen::MatrixXd best = vectors.colwise().normalized();
  double best_value = largest_correlation(best, objective);
  if (entries > kMostUnknowns) return best;
  SharpSurrogate surrogate(objective, vectors.rows(), vectors.cols());
  Eigen::MatrixXd unit = best;
  for (double beta = first_sharpness; beta <= kLast; beta *= 4.0) {
    double value = surrogate.value(unit, beta);
    double damping = 1e-3;
    for (int step = 0; step < kMostSteps && damping < 1e12; ++step) {
      surrogate.differentiate(unit, beta);
      if (surrogate.gradient().cwiseAbs().maxCoeff() < 3e-17 * beta) break;
      bool has_moved = false;
      double decrease = 0.0;
      for (; damping < 1e12 && !has_moved; damping *= has_moved ? 0.1 : 8.0) {
        // Levenberg's damping: a factorisation that fails, or a step that does not pay, asks for more.
        Eigen::MatrixXd system = surrogate.hessian();
        system.diagonal().array() += damping;
        const Eigen::LLT<Eigen::MatrixXd> solver(system);
        if (solver.info() != Eigen::Success) continue;
        const Eigen::VectorXd change = -solver.solve(surrogate.gradient());
        if (!change.allFinite()) continue;
        Eigen::MatrixXd next = unit + change.reshaped(unit.rows(), unit.cols());
        next.colwise().normalize();
        const double next_value = surrogate.value(next, beta);
        if (!(next_value < value)) continue;
        decrease = value - next_value;
        value = next_value;
        unit = std::move(next);
        has_moved = true;
      }
      damping = std::max(damping, 1e-9);
      if (!has_moved) surrogate.value(unit, beta);
      // A millionth of what the next stage gains: flat valleys are long.
      if (!has_moved || decrease < 1e-6 / beta) break;
    }
    const double largest = largest_correlation(unit, objective);
    if (largest < best_value) {
      best_value = largest;
      best = unit;
    }
  }
  return best;
}

Eigen::MatrixXd polish_active_set(const Eigen::MatrixXd& vectors, FrameObjective objective) {
  Eigen::MatrixXd best = vectors;
  double best_value = largest_correlation(vectors, objective);
  // How near to the maximum a pair must be to belong to it is not known beforehand: too few and too many both
  // show in the result.
  std::size_t last_count = 0;
  for (const double tolerance : {1e-9, 1e-8, 1e-7, 1e-6, 1e-5}) {
    std::vector<ActivePair> pairs = active_pairs(vectors, objective, tolerance);
    if (pairs.size() == last_count) continue;  // wider, but the same pairs
    last_count = pairs.size();
    ActiveSetNewton newton(vectors, std::move(pairs));
    if (newton.unknowns() > kMostUnknowns) break;
    Eigen::MatrixXd unit = vectors;
    for (int step = 0; step < 5 && newton.step(unit); ++step) {
      const double value = largest_correlation(unit, objective);
      if (value >= best_value) continue;
      best_value = value;
      best = unit;
    }
  }
  return best;
}

}  // namespace gnc
