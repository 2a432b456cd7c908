#include "engine/metrics/covering.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"

namespace gnc {

Eigen::MatrixXd pairwise_distances(const Eigen::MatrixXd& points) {
  const Eigen::MatrixXd centred = points.rowwise() - points.colwise().mean();
  const Eigen::VectorXd squares = centred.rowwise().squaredNorm();
  // Squares of distances lose their last digits to those of the norms they are differences of.
  const double unreliable = 1e-8 * squares.maxCoeff();
  Eigen::MatrixXd distances = -2 * (centred * centred.transpose());
  for (Eigen::Index j = 0; j < distances.cols(); ++j) {
    distances(j, j) = 0;
    for (Eigen::Index i = 0; i < j; ++i) {
      double square = distances(i, j) + squares[i] + squares[j];
      if (square < unreliable) square = (points.row(i) - points.row(j)).squaredNorm();
      distances(i, j) = distances(j, i) = std::sqrt(square);
    }
  }
  return distances;
}

GreedyNet::GreedyNet(const Eigen::MatrixXd& distances) {
  require(distances.rows() == distances.cols() && distances.rows() >= 1,
          "GreedyNet: distances are {}x{}; expected a square, at least 1x1", distances.rows(),
          distances.cols());
  Eigen::VectorXd nearest = distances.col(0);
  for (Eigen::Index k = 0; k < distances.cols(); ++k) {
    Eigen::Index farthest = 0;
    radii_.push_back(nearest.maxCoeff(&farthest));
    nearest = nearest.cwiseMin(distances.col(farthest));
  }
}

int GreedyNet::size(double radius) const {
  const auto covered = std::ranges::find_if(radii_, [&](double farthest) { return farthest < radius; });
  return std::min(static_cast<int>(covered - radii_.begin()) + 1, static_cast<int>(radii_.size()));
}

double intrinsic_dimension(const Eigen::MatrixXd& distances, int neighbours) {
  require(neighbours >= 2, "intrinsic_dimension: {} neighbours; expected at least 2", neighbours);
  double sum = 0;
  std::int64_t terms = 0;
  std::vector<double> row;
  for (Eigen::Index i = 0; i < distances.cols(); ++i) {
    row.clear();
    for (Eigen::Index j = 0; j < distances.rows(); ++j)
      if (distances(j, i) > 0) row.push_back(distances(j, i));
    const std::size_t k = std::min(row.size(), static_cast<std::size_t>(neighbours));
    if (k < 2) continue;
    std::ranges::partial_sort(row, row.begin() + static_cast<std::ptrdiff_t>(k));
    for (std::size_t j = 0; j + 1 < k; ++j) sum += std::log(row[k - 1] / row[j]);
    terms += static_cast<std::int64_t>(k) - 1;
  }
  return sum > 0 ? static_cast<double>(terms) / sum : std::numeric_limits<double>::quiet_NaN();
}

double log10_covering_number(const GreedyNet& net, double dimension, double radius) {
  const std::size_t half = net.radii().size() / 2;
  const double resolved = half == 0 ? 0 : net.radii()[half - 1];
  const double by_net = std::log10(net.size(radius));
  if (!(radius < resolved)) return by_net;
  const double beyond = std::log10(static_cast<double>(half)) + dimension * std::log10(resolved / radius);
  return beyond < by_net ? by_net : beyond;  // NaN stays NaN
}

}  // namespace gnc
