#include "models/frame_constructions.h"

#include <cmath>

#include "engine/error.h"

namespace gnc {

Eigen::MatrixXd simplex_frame(int dim, int classes) {
  require(classes >= 2 && classes <= dim + 1, "a simplex of {} vectors does not fit into {} dimensions",
          classes, dim);
  // Column y of Helmert's contrasts: row k is (1, …, 1, -k, 0, …)/√(k(k+1)) with k ones, and columns have
  // norm √((C-1)/C).
  Eigen::MatrixXd frame = Eigen::MatrixXd::Zero(dim, classes);
  for (int k = 1; k < classes; ++k) {
    const double entry = 1.0 / std::sqrt(static_cast<double>(k) * (k + 1));
    frame.row(k - 1).head(k).setConstant(entry);
    frame(k - 1, k) = -k * entry;
  }
  frame.colwise().normalize();
  return frame;
}

Eigen::MatrixXd cross_polytope_frame(int dim, int classes) {
  require(classes >= 2 && classes <= 2 * dim, "a cross-polytope in {} dimensions has {} vertices, not {}",
          dim, 2 * dim, classes);
  const int pairs = std::max(classes - dim, 0);
  Eigen::MatrixXd frame = Eigen::MatrixXd::Zero(dim, classes);
  for (int y = 0; y < classes; ++y) {
    const bool is_paired = y < 2 * pairs;
    frame(is_paired ? y / 2 : y - pairs, y) = is_paired && y % 2 == 1 ? -1.0 : 1.0;
  }
  return frame;
}

Eigen::MatrixXd simplices_frame(int dim, int classes) {
  require(classes >= dim + 2 && classes <= 2 * dim,
          "orthogonal simplices need d+2 <= C <= 2d, not C = {}, d = {}", classes, dim);
  const int pairs = classes - dim - 1;
  const int large = classes - 2 * pairs;  // vectors of the large simplex; it spans large-1 dimensions
  Eigen::MatrixXd frame = Eigen::MatrixXd::Zero(dim, classes);
  frame.topLeftCorner(large - 1, large) = simplex_frame(large - 1, large);
  for (int pair = 0; pair < pairs; ++pair) {
    frame(large - 1 + pair, large + 2 * pair) = 1.0;
    frame(large - 1 + pair, large + 2 * pair + 1) = -1.0;
  }
  return frame;
}

Eigen::MatrixXd polygon_frame(int classes, double full_angle) {
  Eigen::MatrixXd frame(2, classes);
  for (int y = 0; y < classes; ++y) {
    const double angle = full_angle * y / classes;
    frame.col(y) << std::cos(angle), std::sin(angle);
  }
  return frame;
}

}  // namespace gnc
