#pragma once
/// How many balls cover a cloud of points, and how many dimensions it has: the covering numbers of Theorem
/// 4.2, as far as a sample tells them.

#include <Eigen/Core>

#include <vector>

namespace gnc {

/// Distances between the rows of `points` [n,D], in double: [n,n], symmetric, zeros on the diagonal. From a
/// product of centred points, so that a distance is good to about √ε of the cloud's own size, and one below
/// that is computed from the difference. n²·D multiply-adds.
Eigen::MatrixXd pairwise_distances(const Eigen::MatrixXd& points);

/// A greedy net: the first point, then always the one farthest from all chosen so far (Gonzalez 1985).
class GreedyNet {
 public:
  /// `distances` [n,n], n >= 1. n² steps.
  explicit GreedyNet(const Eigen::MatrixXd& distances);

  /// How many of the net's points it takes until open balls of radius ε > 0 about them cover all points: an
  /// upper bound of their covering number 𝒩(ε) with centres among them, and a lower bound of 𝒩(ε/2), since
  /// the net's points are at least ε apart. n where ε is smaller than every distance.
  int size(double radius) const;
  /// radii()[k]: how far the farthest point lies from the first k + 1 of the net. Not increasing; the last
  /// is 0.
  const std::vector<double>& radii() const { return radii_; }

 private:
  std::vector<double> radii_;
};

/// Maximum-likelihood intrinsic dimension from the `neighbours` nearest ones of each point (Levina, Bickel
/// 2004), averaged over points as MacKay and Ghahramani (2005) do: 1/m = mean of log(T_k/T_j) over points and
/// j < k. Points that coincide with another are left out of it. NaN where fewer than two neighbours of
/// different distance are left.
double intrinsic_dimension(const Eigen::MatrixXd& distances, int neighbours = 10);

/// log10 of 𝒩(ε) ~ ε^{−m} beyond the scale that a sample resolves: the net's size down to the radius at which
/// it has half of the points, and from there on by the intrinsic dimension.
double log10_covering_number(const GreedyNet& net, double dimension, double radius);

}  // namespace gnc
