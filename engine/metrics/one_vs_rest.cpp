#include "engine/metrics/one_vs_rest.h"

#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/error.h"

namespace gnc {
namespace {

/// The weights, summing to one, of the point nearest to the origin in the affine hull of `corners`.
Eigen::VectorXd affine_weights(const Eigen::MatrixXd& corners) {
  const Eigen::Index n = corners.cols();
  Eigen::MatrixXd system = Eigen::MatrixXd::Ones(n + 1, n + 1);
  system.topLeftCorner(n, n) = corners.transpose() * corners;
  system(n, n) = 0;
  Eigen::VectorXd right = Eigen::VectorXd::Zero(n + 1);
  right[n] = 1;
  return Eigen::PartialPivLU<Eigen::MatrixXd>(system).solve(right).head(n);
}

}  // namespace

NearestPoint nearest_point_of_hull(const Eigen::MatrixXd& points) {
  require(points.cols() >= 1 && points.allFinite(),
          "nearest point of a hull: {} points; expected at least one, all finite", points.cols());
  const double scale = points.colwise().squaredNorm().maxCoeff();
  // Of products of d terms with rounding errors of their own, nothing finer can be told apart.
  const double tolerance = 1e-13 * scale;
  Eigen::Index start = 0;
  points.colwise().squaredNorm().minCoeff(&start);
  std::vector<Eigen::Index> corral = {start};
  Eigen::VectorXd weights = Eigen::VectorXd::Ones(1);
  Eigen::VectorXd x = points.col(start);
  for (;;) {
    Eigen::Index next = 0;
    const double least = (x.transpose() * points).minCoeff(&next);
    // No more than d + 1 corners are independent; one that is there already is rounding's choice.
    const NearestPoint found{.point = x,
                             .distance = x.norm(),
                             .lower_bound = x.norm() > 0 ? std::max(0.0, least / x.norm()) : 0.0};
    if (least >= x.squaredNorm() - tolerance || std::ranges::find(corral, next) != corral.end() ||
        static_cast<Eigen::Index>(corral.size()) > points.rows())
      return found;
    corral.push_back(next);
    weights.conservativeResize(weights.size() + 1);
    weights[weights.size() - 1] = 0;
    for (;;) {
      const Eigen::MatrixXd corners = points(Eigen::all, corral);
      const Eigen::VectorXd affine = affine_weights(corners);
      if (!affine.allFinite()) return found;  // corners that rounding cannot tell from dependent ones
      double step = 1;
      Eigen::Index blocking = -1;
      for (Eigen::Index i = 0; i < affine.size(); ++i) {
        const double until = affine[i] <= 0 ? weights[i] / (weights[i] - affine[i]) : 1.0;
        if (affine[i] > 0 || until > step) continue;
        step = until;
        blocking = i;
      }
      weights = (1 - step) * weights + step * affine;
      if (blocking >= 0) weights[blocking] = 0;
      x = corners * weights;
      if (blocking < 0) break;
      // The corners whose weight the step has brought to zero leave.
      Eigen::Index kept = 0;
      const double zero = 1e-15;
      for (Eigen::Index i = 0; i < weights.size(); ++i) {
        if (weights[i] <= zero) continue;
        corral[static_cast<std::size_t>(kept)] = corral[static_cast<std::size_t>(i)];
        weights[kept++] = weights[i];
      }
      corral.resize(static_cast<std::size_t>(kept));
      weights.conservativeResize(kept);
    }
  }
}

double one_vs_rest_distance(const Eigen::MatrixXd& vectors) {
  require(vectors.cols() >= 2, "one-vs-rest distance: {} vectors; expected at least 2", vectors.cols());
  const Eigen::MatrixXd unit = vectors.array().rowwise() / vectors.colwise().norm().array();
  if (!unit.allFinite()) return std::numeric_limits<double>::quiet_NaN();
  double least = std::numeric_limits<double>::infinity();
  Eigen::MatrixXd others(unit.rows(), unit.cols() - 1);
  for (Eigen::Index k = 0; k < unit.cols(); ++k) {
    others << unit.leftCols(k), unit.rightCols(unit.cols() - 1 - k);
    others.colwise() -= unit.col(k);
    least = std::min(least, nearest_point_of_hull(others).distance);
  }
  return least;
}

}  // namespace gnc
