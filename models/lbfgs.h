#pragma once
/// Limited-memory BFGS for a smooth function of a matrix.

#include <Eigen/Dense>

#include <functional>

namespace gnc {

/// Value of the function at x; writes the gradient (same shape as x).
using DifferentiableFunction = std::function<double(const Eigen::MatrixXd& x, Eigen::MatrixXd& gradient)>;

struct LbfgsLimits {
  int max_iterations = 1000;
  double gradient_tolerance = 1e-8;  ///< stop when the largest entry of the gradient is below
};

/// Minimises from `x`, which becomes the best point found; returns the iterations taken. Memory 12, weak
/// Wolfe line search by bracketing (Lewis and Overton 2013), so that every pair of the memory has positive
/// curvature. Stops at the tolerance, the limit, or when rounding leaves no further descent. Deterministic.
int minimize_lbfgs(const DifferentiableFunction& function, Eigen::MatrixXd& x, const LbfgsLimits& limits);

}  // namespace gnc
