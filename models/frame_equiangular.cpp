#include "models/frame_equiangular.h"

#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "engine/error.h"
#include "models/frame_algebra.h"
#include "models/frame_golay.h"
#include "models/galois_field.h"

namespace gnc {
namespace {

using Eigen::MatrixXd;

/// n dimensions split by the eigenvalues a > 0 > b of a matrix of trace 0: how many belong to a.
int multiplicity(double n, double a, double b) { return static_cast<int>(std::lround(-n * b / (a - b))); }

/// Signs of a frame's products, with zero diagonal.
MatrixXd signs_of(const MatrixXd& frame) {
  MatrixXd signs = (frame.transpose() * frame).cwiseSign();
  signs.diagonal().setZero();
  return signs;
}

}  // namespace

Eigen::MatrixXd two_graph_frame(const Eigen::MatrixXd& signs) {
  const Eigen::Index n = signs.rows();
  // S² = (a+b) S - ab I, and ab = -(n-1).
  const double sum = signs.row(0).dot(signs.row(1)) * signs(0, 1);
  const double root = std::sqrt(sum * sum + 4.0 * static_cast<double>(n - 1));
  const double a = (sum + root) / 2.0, b = (sum - root) / 2.0;
  MatrixXd gram = signs / -b;
  gram.diagonal().setOnes();
  return vectors_of_gram(gram, multiplicity(static_cast<double>(n), a, b));
}

Eigen::MatrixXd conference_frame(int q) {
  require(q % 4 == 1 && is_prime_power(q),
          "a conference matrix of Paley needs a prime power 1 mod 4, which {} is not", q);
  const GaloisField field(q);
  MatrixXd signs = MatrixXd::Ones(q + 1, q + 1);
  signs(0, 0) = 0.0;
  for (int i = 0; i < q; ++i) {
    for (int j = 0; j < q; ++j) signs(i + 1, j + 1) = field.character(field.add(i, field.negative(j)));
  }
  return two_graph_frame(signs);
}

Eigen::MatrixXd unitary_frame(int q) {
  require(q % 2 == 1 && is_prime_power(q), "Taylor's two-graph needs an odd prime power, which {} is not", q);
  const GaloisField field(q * q);
  std::vector<int> conjugate;
  for (int a = 0; a < q * q; ++a) conjugate.push_back(field.power(a, q));
  using Point = std::array<int, 3>;
  const auto product = [&](const Point& x, const Point& y) {
    int sum = 0;
    for (std::size_t i = 0; i < 3; ++i)
      sum = field.add(sum, field.multiply(x[i], conjugate[static_cast<std::size_t>(y[i])]));
    return sum;
  };
  // One vector for each point of the plane: its first coordinate that is not 0 is 1.
  std::vector<Point> points;
  const auto take_isotropic = [&](const Point& x) {
    if (product(x, x) == 0) points.push_back(x);
  };
  for (int b = 0; b < q * q; ++b) {
    take_isotropic({0, 1, b});
    for (int c = 0; c < q * q; ++c) take_isotropic({1, b, c});
  }
  const auto n = static_cast<Eigen::Index>(points.size());
  MatrixXd signs = MatrixXd::NullaryExpr(n, n, [&](Eigen::Index i, Eigen::Index j) {
    return field.character(product(points[static_cast<std::size_t>(i)], points[static_cast<std::size_t>(j)]));
  });
  // Eigenvalues are q² and -q or the other way round; the first gives the frame of few dimensions.
  const double sum = signs.row(0).dot(signs.row(1)) * signs(0, 1);
  if (sum < 0.0) signs = -signs;
  return two_graph_frame(signs);
}

Eigen::MatrixXd symplectic_frame(int m, int sign) {
  require(m >= 2 && (sign == 1 || sign == -1), "no quadratic form of type {} on {} dimensions", sign, 2 * m);
  // x_1 y_1 + … + x_m y_m, and for the minus type x_m² + y_m² more; x in the even bits, y in the odd ones.
  const auto form = [&](unsigned v) {
    const unsigned pairs = v & (v >> 1) & 0x55555555u;
    const unsigned last = v >> (2 * m - 2);
    const int extra = sign == -1 ? std::popcount(last) : 0;
    return (std::popcount(pairs) + extra) % 2;
  };
  std::vector<unsigned> zeros;
  for (unsigned v = 0; v < 1u << (2 * m); ++v) {
    if (form(v) == 0) zeros.push_back(v);
  }
  const auto n = static_cast<Eigen::Index>(zeros.size());
  MatrixXd signs = MatrixXd::NullaryExpr(n, n, [&](Eigen::Index i, Eigen::Index j) {
    const unsigned difference = zeros[static_cast<std::size_t>(i)] ^ zeros[static_cast<std::size_t>(j)];
    return i == j ? 0.0 : 1.0 - 2.0 * form(difference);
  });
  const double sum = signs.row(0).dot(signs.row(1)) * signs(0, 1);
  if (sum < 0.0) signs = -signs;  // the larger eigenvalue to few dimensions
  return two_graph_frame(signs);
}

Eigen::MatrixXd steiner_frame(int v) {
  const auto hadamard = hadamard_matrix(v);
  require(v >= 4 && hadamard.has_value(), "no Hadamard matrix of order {} at hand", v);
  // Vector (point p, row h): on the v-1 pairs that contain p, the entries of row h but the first.
  MatrixXd frame = MatrixXd::Zero(v * (v - 1) / 2, v * v);
  std::vector<int> used(static_cast<std::size_t>(v), 0);  // pairs of each point so far
  int pair = 0;
  for (int p = 0; p < v; ++p) {
    for (int other = p + 1; other < v; ++other, ++pair) {
      for (const int point : {p, other}) {
        const int column = ++used[static_cast<std::size_t>(point)];
        frame.row(pair).segment(point * v, v) = hadamard->col(column).transpose();
      }
    }
  }
  return frame / std::sqrt(v - 1.0);
}

double bukh_cox_value(int dim, int classes) {
  const double k = classes - dim;
  const double copies = 2.0 * classes / (k * (k + 1.0));
  return 1.0 / (copies * (1.0 + std::sqrt(k + 2.0) * (k - 1.0) / 2.0) - 1.0);
}

Eigen::MatrixXd bukh_cox_frame(int dim, int classes) {
  const int k = classes - dim, lines = k * (k + 1) / 2;
  require((k == 2 || k == 3 || k == 7 || k == 23) && classes % lines == 0,
          "no frame of {} vectors in {} dimensions attains the Bukh-Cox bound", classes, dim);
  MatrixXd base(2, 3);
  const double half = 0.5, height = std::sqrt(0.75);
  base << 1, -half, -half, 0, height, -height;
  if (k == 3) base = conference_frame(5);
  if (k == 7) base = unitary_frame(3);
  if (k == 23) base = leech_lines_276();
  const MatrixXd signs = signs_of(base);
  const double value = bukh_cox_value(dim, classes);
  MatrixXd gram = MatrixXd::NullaryExpr(classes, classes, [&](Eigen::Index i, Eigen::Index j) {
    if (i == j) return 1.0;
    return i % lines == j % lines ? -value : -value * signs(i % lines, j % lines);
  });
  return vectors_of_gram(gram, dim);
}

}  // namespace gnc
