#pragma once
/// How far each classifier direction lies from the convex hull of the others: GNC2 of Jiang et al. 2024.

#include <Eigen/Core>

namespace gnc {

/// The point of a convex hull nearest to the origin, with its certificate: lower <= true distance <=
/// distance.
struct NearestInHull {
  Eigen::VectorXd point;    ///< [d]
  Eigen::VectorXd weights;  ///< [K] >= 0, sum 1; point = points · weights; at most d + 1 are not 0
  double distance = 0;      ///< ‖point‖
  /// max(0, min_j <point/‖point‖, p_j>): the hull lies behind this plane, so no point of it is nearer. 0 when
  /// `point` is 0; NaN when the points are not finite.
  double lower = 0;
};

/// Wolfe's algorithm ("Finding the nearest point in a polytope", 1976): exact after finitely many steps but
/// for rounding, in double. It keeps a set of affinely independent points whose least-norm affine combination
/// is convex; here through an orthogonal factorisation that is updated, so that nothing is squared. Stops
/// when distance − lower is rounding (16 ε max‖p_j‖), or when rounding lets it come no nearer, as close to
/// the origin, where both carry up to ε max‖p_j‖²/distance. `points` [d,K], one a column, K >= 1; throws
/// ShapeError otherwise. About s·d·(K + s) operations for a result on s points. Equal inputs give equal bits.
NearestInHull nearest_in_hull(const Eigen::MatrixXd& points);

/// dist(w_k, conv{w_j : j ≠ k}) [C] for the columns of `vectors` [d,C], C >= 2, each divided by its norm. 0
/// when a direction lies within the hull of the others, at most 2. NaN throughout when a column is 0: every
/// hull then has, or is seen from, a vector without a direction. Jiang et al. take the least of them, through
/// 10 000 steps on the dual from random starts, which can only come out smaller.
Eigen::VectorXd one_vs_rest_distances(const Eigen::MatrixXd& vectors);

}  // namespace gnc
