#pragma once
/// The last digits: Newton's method on the pairs at the maximum.

#include <Eigen/Dense>

#include "models/frame.h"

namespace gnc {

/// Improves unit vectors [d,C] that are within about 1e-6 of a local optimum to rounding where that can be
/// done: takes the pairs near the maximum t as equations s_ij ⟨x_i,x_j⟩ = t (s the sign for the absolute
/// objective), and solves them together with the stationarity of the Lagrangian by Newton steps of least
/// norm, which leaves rotations and vectors without such pairs alone. Returns the best vectors seen,
/// `vectors` itself when nothing is better or the system has more than 1000 unknowns (O(unknowns³)).
Eigen::MatrixXd polish_active_set(const Eigen::MatrixXd& vectors, FrameObjective objective);

/// Largest (absolute) inner product of unit vectors.
double largest_correlation(const Eigen::MatrixXd& unit, FrameObjective objective);

}  // namespace gnc
