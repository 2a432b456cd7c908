#include "engine/metrics/one_vs_rest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/error.h"

namespace gnc {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Q R = A for columns a = (1, p): Q [d+1,s] orthonormal, R [s,s] upper triangular, columns added at the end
/// and taken out anywhere.
class AffineFactors {
 public:
  explicit AffineFactors(Eigen::Index dimension)
      : q_(dimension + 1, dimension + 1), r_(dimension + 1, dimension + 1) {}

  Eigen::Index size() const { return size_; }

  /// False, and nothing changes, when (1, point) depends on the columns there: its part orthogonal to them is
  /// rounding.
  bool append(const Eigen::Ref<const Eigen::VectorXd>& point) {
    if (size_ == q_.cols()) return false;
    Eigen::VectorXd rest(q_.rows());
    rest[0] = 1;
    rest.tail(point.size()) = point;
    const double length = rest.norm();
    Eigen::VectorXd coefficients = Eigen::VectorXd::Zero(size_);
    // The second time takes out what rounding left the first time (Kahan: twice is enough).
    for (int time = 0; time < 2; ++time) {
      for (Eigen::Index k = 0; k < size_; ++k) {
        const double part = q_.col(k).dot(rest);
        coefficients[k] += part;
        rest -= part * q_.col(k);
      }
    }
    const double norm = rest.norm();
    if (!(norm > 16 * kEpsilon * length)) return false;
    r_.col(size_).setZero();
    r_.col(size_).head(size_) = coefficients;
    r_(size_, size_) = norm;
    q_.col(size_) = rest / norm;
    ++size_;
    return true;
  }

  /// Takes column `index` out; rotations make R triangular again.
  void remove(Eigen::Index index) {
    for (Eigen::Index k = index; k + 1 < size_; ++k) r_.col(k) = r_.col(k + 1);
    --size_;
    for (Eigen::Index k = index; k < size_; ++k) {
      const double length = std::hypot(r_(k, k), r_(k + 1, k));
      const double cosine = r_(k, k) / length;
      const double sine = r_(k + 1, k) / length;
      for (Eigen::Index j = k; j < size_; ++j) {
        const double upper = r_(k, j);
        const double lower = r_(k + 1, j);
        r_(k, j) = cosine * upper + sine * lower;
        r_(k + 1, j) = cosine * lower - sine * upper;
      }
      const Eigen::VectorXd upper = q_.col(k);
      q_.col(k) = cosine * upper + sine * q_.col(k + 1);
      q_.col(k + 1) = cosine * q_.col(k + 1) - sine * upper;
    }
  }

  /// The weights, of sum 1, of the affine combination of least norm. AᵀA u = 1 up to a factor, and 1 = Aᵀe_0,
  /// so that R u = Qᵀe_0: one triangular system instead of two.
  Eigen::VectorXd least_norm_weights() const {
    Eigen::VectorXd weights = q_.row(0).head(size_).transpose();
    for (Eigen::Index k = size_ - 1; k >= 0; --k) {
      weights[k] /= r_(k, k);
      weights.head(k) -= weights[k] * r_.col(k).head(k);
    }
    return weights / weights.sum();
  }

 private:
  Eigen::MatrixXd q_, r_;  // the first size_ columns count
  Eigen::Index size_ = 0;
};

class WolfeSearch {
 public:
  explicit WolfeSearch(const Eigen::MatrixXd& points) : points_(points), factors_(points.rows()) {}

  NearestInHull run() {
    Eigen::Index start = 0;
    double longest = 0;
    for (Eigen::Index j = 0; j < points_.cols(); ++j) {
      const double norm = points_.col(j).norm();
      longest = std::max(longest, norm);
      if (norm < points_.col(start).norm()) start = j;
    }
    factors_.append(points_.col(start));
    members_ = {start};
    weights_ = Eigen::VectorXd::Ones(1);
    point_ = points_.col(start);
    // Every step makes the point shorter but for rounding, which must not keep the loop alive.
    const Eigen::Index most_steps = 20 * (points_.cols() + points_.rows());
    for (Eigen::Index step = 0; step < most_steps; ++step) {
      const double norm = point_.norm();
      if (norm <= 16 * kEpsilon * longest) break;
      const Eigen::Index entering = lowest();
      if (norm - products_[entering] / norm <= 16 * kEpsilon * longest) break;
      if (!enter(entering)) break;
    }
    return result();
  }

 private:
  /// The first point with the least inner product with the current one.
  Eigen::Index lowest() {
    products_.resize(points_.cols());
    Eigen::Index least = 0;
    for (Eigen::Index j = 0; j < points_.cols(); ++j) {
      products_[j] = points_.col(j).dot(point_);
      if (products_[j] < products_[least]) least = j;
    }
    return least;
  }

  /// Adds a point and returns to a set whose least-norm combination is convex; false when rounding forbids
  /// it.
  bool enter(Eigen::Index entering) {
    if (std::find(members_.begin(), members_.end(), entering) != members_.end()) return false;
    const std::vector<Eigen::Index> members = members_;
    const Eigen::VectorXd weights = weights_;
    const Eigen::VectorXd point = point_;
    if (!factors_.append(points_.col(entering))) return false;
    members_.push_back(entering);
    weights_.conservativeResize(weights_.size() + 1);
    weights_[weights_.size() - 1] = 0;
    Eigen::VectorXd target = factors_.least_norm_weights();
    while (!(target.minCoeff() > 0)) {
      if (members_.size() == 1) break;
      step_towards(target);
      target = factors_.least_norm_weights();
    }
    weights_ = target;
    point_.setZero();
    for (Eigen::Index k = 0; k < weights_.size(); ++k) {
      point_ += weights_[k] * points_.col(members_[static_cast<std::size_t>(k)]);
    }
    if (point_.squaredNorm() < point.squaredNorm()) return true;
    members_ = members;  // no nearer: what was there before is as good
    weights_ = weights;
    point_ = point;
    return false;
  }

  /// Goes towards the target as far as the weights stay >= 0, and takes out the first that becomes 0.
  void step_towards(const Eigen::VectorXd& target) {
    double fraction = 2;  // some room is at most 1
    Eigen::Index leaving = 0;
    for (Eigen::Index k = 0; k < target.size(); ++k) {
      if (target[k] > 0) continue;
      const double room = weights_[k] <= 0 ? 0 : weights_[k] / (weights_[k] - target[k]);
      if (room < fraction) {
        fraction = room;
        leaving = k;
      }
    }
    // A point that has only just entered with weight 0 can be told to leave by rounding alone; then so be it:
    // `enter` sees that nothing was gained.
    weights_ += std::min(fraction, 1.0) * (target - weights_);
    weights_ = weights_.cwiseMax(0);
    factors_.remove(leaving);
    members_.erase(members_.begin() + leaving);
    for (Eigen::Index k = leaving; k + 1 < weights_.size(); ++k) weights_[k] = weights_[k + 1];
    weights_.conservativeResize(weights_.size() - 1);
  }

  NearestInHull result() {
    NearestInHull nearest;
    nearest.weights = Eigen::VectorXd::Zero(points_.cols());
    for (Eigen::Index k = 0; k < weights_.size(); ++k) {
      nearest.weights[members_[static_cast<std::size_t>(k)]] = weights_[k];
    }
    nearest.point = point_;
    nearest.distance = point_.norm();
    if (nearest.distance > 0) nearest.lower = std::max(products_[lowest()] / nearest.distance, 0.0);
    return nearest;
  }

  const Eigen::MatrixXd& points_;
  AffineFactors factors_;
  std::vector<Eigen::Index> members_;
  Eigen::VectorXd weights_;   // of the members
  Eigen::VectorXd point_;     // Σ weights · members
  Eigen::VectorXd products_;  // of all points with it
};

}  // namespace

NearestInHull nearest_in_hull(const Eigen::MatrixXd& points) {
  require<ShapeError>(points.rows() >= 1 && points.cols() >= 1,
                      "nearest_in_hull: points [{},{}]; expected at least one component and one point",
                      points.rows(), points.cols());
  if (!points.allFinite()) {
    return {.point = Eigen::VectorXd::Constant(points.rows(), kNaN),
            .weights = Eigen::VectorXd::Constant(points.cols(), kNaN),
            .distance = kNaN,
            .lower = kNaN};
  }
  return WolfeSearch(points).run();
}

Eigen::VectorXd one_vs_rest_distances(const Eigen::MatrixXd& vectors) {
  require<ShapeError>(vectors.rows() >= 1 && vectors.cols() >= 2,
                      "one_vs_rest_distances: vectors [{},{}]; expected at least 2 vectors of 1 component",
                      vectors.rows(), vectors.cols());
  Eigen::MatrixXd unit = vectors;
  for (Eigen::Index k = 0; k < unit.cols(); ++k) unit.col(k) /= unit.col(k).norm();
  Eigen::VectorXd distances(unit.cols());
  Eigen::MatrixXd others(unit.rows(), unit.cols() - 1);
  for (Eigen::Index k = 0; k < unit.cols(); ++k) {
    // Explicit differences: through the Gram matrix near directions would cancel.
    for (Eigen::Index j = 0; j < others.cols(); ++j) {
      others.col(j) = unit.col(j < k ? j : j + 1) - unit.col(k);
    }
    distances[k] = nearest_in_hull(others).distance;
  }
  return distances;
}

}  // namespace gnc
