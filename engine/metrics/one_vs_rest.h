#pragma once
/// How far each class's vector is from what the others span: the one-vs-rest distance of generalised neural
/// collapse (Jiang et al. 2023), exact.

#include <Eigen/Core>

namespace gnc {

/// The point of a convex hull that is nearest to the origin.
struct NearestPoint {
  Eigen::VectorXd point;
  double distance = 0;     ///< ‖point‖: no less than the true distance
  double lower_bound = 0;  ///< min_j <point, p_j>/‖point‖: no more than it (0 where the origin is inside)
};

/// By Wolfe's algorithm ("Finding the nearest point in a polytope", 1976), finite, in double: the two bounds
/// meet to about 1e-12 of the largest ‖p_j‖. `points` [d,n], columns p_j, n >= 1, finite; throws Error
/// otherwise.
NearestPoint nearest_point_of_hull(const Eigen::MatrixXd& points);

/// min_k dist(w_k, conv{w_j : j ≠ k}) over the unit columns w of `vectors` [d,C], C >= 2; NaN where a column
/// is zero or not finite.
double one_vs_rest_distance(const Eigen::MatrixXd& vectors);

}  // namespace gnc
