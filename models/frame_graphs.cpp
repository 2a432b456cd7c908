#include "models/frame_graphs.h"

#include <array>
#include <cmath>
#include <vector>

#include "engine/error.h"
#include "models/frame_algebra.h"
#include "models/galois_field.h"

namespace gnc {

using Eigen::MatrixXd;

Eigen::MatrixXd spectral_code(const Eigen::MatrixXd& adjacency) {
  const Eigen::Index n = adjacency.rows();
  const double degree = adjacency.row(0).sum();
  require(n >= 3 && degree >= 1.0 && degree < static_cast<double>(n - 1),
          "a graph of {} vertices and degree {} is not strongly regular", n, degree);
  // λ and μ, common neighbours of adjacent and of other vertices, from the first row of the square.
  const Eigen::RowVectorXd common = adjacency.row(0) * adjacency;
  double lambda = -1.0, mu = -1.0;
  for (Eigen::Index j = 1; j < n; ++j) {
    double& expected = adjacency(0, j) != 0.0 ? lambda : mu;
    require(expected < 0.0 || expected == common[j], "vertex {} makes the graph not strongly regular", j);
    expected = common[j];
  }
  const double difference = lambda - mu;
  const double root = std::sqrt(difference * difference + 4.0 * (degree - mu));
  const double high = (difference + root) / 2.0, low = (difference - root) / 2.0;
  // Traces of the identity and of the adjacency matrix give the multiplicity of the least eigenvalue.
  const auto rank = static_cast<int>(std::lround((degree + static_cast<double>(n - 1) * high) / root));
  const double apart = -(1.0 + low) / (static_cast<double>(n - 1) - degree);
  MatrixXd gram = MatrixXd::Constant(n, n, apart) + (low / degree - apart) * adjacency;
  gram.diagonal().setOnes();
  return vectors_of_gram(gram, rank);
}

Eigen::MatrixXd quadrangle_code(int q) {
  const GaloisField field(q);
  // x² + bx + c without a zero makes the third pair of coordinates anisotropic.
  int b = 0, c = 0;
  const auto value = [&](int x, int y) {
    const int cross = field.multiply(b, field.multiply(x, y));
    return field.add(field.add(field.multiply(x, x), cross), field.multiply(c, field.multiply(y, y)));
  };
  for (bool has_zero = true; has_zero;) {
    c = (c + 1) % q;
    if (c == 0) ++b;
    has_zero = false;
    for (int x = 0; x < q; ++x) has_zero = has_zero || value(x, 1) == 0;
  }
  using Point = std::array<int, 6>;
  const auto form = [&](const Point& x) {
    const int hyperbolic = field.add(field.multiply(x[0], x[1]), field.multiply(x[2], x[3]));
    return field.add(hyperbolic, value(x[4], x[5]));
  };
  std::vector<Point> points;
  const int total = q * q * q * q * q * q;
  for (int number = 1; number < total; ++number) {
    Point x = {};
    int first = 0;
    for (int i = 5, rest = number; i >= 0; --i, rest /= q) {
      x[static_cast<std::size_t>(i)] = rest % q;
      if (rest % q != 0) first = rest % q;
    }
    if (first == 1 && form(x) == 0) points.push_back(x);
  }
  const auto n = static_cast<Eigen::Index>(points.size());
  MatrixXd adjacency = MatrixXd::NullaryExpr(n, n, [&](Eigen::Index i, Eigen::Index j) {
    // Both are zeros of the form, so that the form of their sum is their bilinear product.
    Point sum = points[static_cast<std::size_t>(i)];
    for (std::size_t k = 0; k < 6; ++k) sum[k] = field.add(sum[k], points[static_cast<std::size_t>(j)][k]);
    return i != j && form(sum) == 0 ? 1.0 : 0.0;
  });
  return spectral_code(adjacency);
}

Eigen::MatrixXd hoffman_singleton_code() {
  // Robertson: pentagons P_h and pentagrams Q_i, vertex j of P_h joined to vertex hi + j of Q_i, mod 5.
  MatrixXd adjacency = MatrixXd::Zero(50, 50);
  const auto join = [&](int u, int v) { adjacency(u, v) = adjacency(v, u) = 1.0; };
  for (int h = 0; h < 5; ++h) {
    for (int j = 0; j < 5; ++j) {
      join(5 * h + j, 5 * h + (j + 1) % 5);
      join(25 + 5 * h + j, 25 + 5 * h + (j + 2) % 5);
      for (int i = 0; i < 5; ++i) join(5 * h + j, 25 + 5 * i + (h * i + j) % 5);
    }
  }
  return spectral_code(adjacency);
}

}  // namespace gnc
