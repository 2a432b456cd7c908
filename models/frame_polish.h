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

/// Follows the minimum of the log-sum-exp surrogate of unit vectors [d,C] from a sharpness to 2³⁰ by
/// damped Newton steps, which leaves its maximum within log(C²)/2³⁰ of the local optimum also where that is
/// not isolated and first-order methods creep. Never worse than `vectors`; returns those when C·d is more
/// than 1000 (O((C·d)³) a step).
Eigen::MatrixXd sharpen_correlation(const Eigen::MatrixXd& vectors, FrameObjective objective,
                                    double first_sharpness = 1 << 12);

/// Largest (absolute) inner product of unit vectors.
double largest_correlation(const Eigen::MatrixXd& unit, FrameObjective objective);

}  // namespace gnc
