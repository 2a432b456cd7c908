#include "models/frame_algebra.h"

#include <cmath>
#include <vector>

#include "models/galois_field.h"

namespace gnc {
namespace {

constexpr double kSame = 1e-9;  // constructions are exact to rounding, and their products lie far apart

/// [q,q] of χ(i-j).
Eigen::MatrixXd jacobsthal_matrix(int q) {
  const GaloisField field(q);
  return Eigen::MatrixXd::NullaryExpr(q, q, [&](Eigen::Index i, Eigen::Index j) {
    return field.character(field.add(static_cast<int>(i), field.negative(static_cast<int>(j))));
  });
}

/// Paley's two constructions, of orders q+1 and 2(q+1).
std::optional<Eigen::MatrixXd> paley_hadamard(int order) {
  using Eigen::MatrixXd;
  if (const int q = order - 1; q % 4 == 3 && is_prime_power(q)) {
    MatrixXd matrix = MatrixXd::Ones(order, order);
    matrix.col(0).tail(q).setConstant(-1.0);
    matrix.bottomRightCorner(q, q) = jacobsthal_matrix(q) + MatrixXd::Identity(q, q);
    return matrix;
  }
  if (const int q = order / 2 - 1; order % 4 == 0 && q % 4 == 1 && is_prime_power(q)) {
    MatrixXd conference = MatrixXd::Zero(q + 1, q + 1);
    conference.row(0).tail(q).setOnes();
    conference.col(0).tail(q).setOnes();
    conference.bottomRightCorner(q, q) = jacobsthal_matrix(q);
    const MatrixXd identity = MatrixXd::Identity(q + 1, q + 1);
    MatrixXd matrix(order, order);
    matrix << conference + identity, conference - identity, conference - identity, -conference - identity;
    return matrix;
  }
  return std::nullopt;
}

}  // namespace

Eigen::MatrixXd vectors_of_gram(const Eigen::MatrixXd& gram, int rank) {
  Eigen::MatrixXd factor = Eigen::MatrixXd::Zero(gram.rows(), rank);
  Eigen::VectorXd rest = gram.diagonal();
  for (int k = 0; k < rank; ++k) {
    Eigen::Index pivot = 0;
    rest.maxCoeff(&pivot);
    Eigen::VectorXd column = gram.col(pivot);
    column.noalias() -= factor.leftCols(k) * factor.row(pivot).head(k).transpose();
    factor.col(k) = column / std::sqrt(column[pivot]);
    rest -= factor.col(k).cwiseAbs2();
  }
  return factor.transpose().colwise().normalized();
}

Eigen::MatrixXd derived_code(const Eigen::MatrixXd& code, int apex, double cosine) {
  const Eigen::Index d = code.rows();
  const Eigen::VectorXd top = code.col(apex);
  const Eigen::VectorXd products = code.transpose() * top;
  // The reflection that takes the apex to the last axis, whose coordinate then goes.
  Eigen::VectorXd normal = top;
  const double sign = top[d - 1] > 0.0 ? 1.0 : -1.0;
  normal[d - 1] += sign;
  const double half_square = normal.squaredNorm() / 2.0;
  std::vector<Eigen::Index> chosen;
  for (Eigen::Index y = 0; y < code.cols(); ++y) {
    if (std::abs(products[y] - cosine) < kSame) chosen.push_back(y);
  }
  Eigen::MatrixXd derived = code(Eigen::all, chosen);
  derived -= normal * (normal.transpose() * derived / half_square).eval();
  return derived.topRows(d - 1).colwise().normalized();
}

Eigen::MatrixXd lines_of(const Eigen::MatrixXd& antipodal) {
  std::vector<Eigen::Index> chosen;
  for (Eigen::Index y = 0; y < antipodal.cols(); ++y) {
    // Of x and -x the one whose first coordinate that is not 0 is positive.
    Eigen::Index first = 0;
    while (std::abs(antipodal(first, y)) < kSame) ++first;
    if (antipodal(first, y) > 0.0) chosen.push_back(y);
  }
  return antipodal(Eigen::all, chosen);
}

Eigen::MatrixXd antipodal_code(const Eigen::MatrixXd& lines) {
  Eigen::MatrixXd code(lines.rows(), 2 * lines.cols());
  for (Eigen::Index y = 0; y < lines.cols(); ++y) {
    code.col(2 * y) = lines.col(y);
    code.col(2 * y + 1) = -lines.col(y);
  }
  return code;
}

Eigen::MatrixXd naimark_complement(const Eigen::MatrixXd& tight) {
  const auto n = static_cast<double>(tight.cols()), d = static_cast<double>(tight.rows());
  // The Gram matrix times d/n is a projection; this is the other one, with a unit diagonal.
  Eigen::MatrixXd gram = tight.transpose() * tight * (-d / (n - d));
  gram.diagonal().setOnes();
  return vectors_of_gram(gram, static_cast<int>(tight.cols() - tight.rows()));
}

std::optional<Eigen::MatrixXd> hadamard_matrix(int order) {
  if (order == 1) return Eigen::MatrixXd::Ones(1, 1);
  if (order == 2) {
    Eigen::MatrixXd two(2, 2);
    two << 1, 1, 1, -1;
    return two;
  }
  if (order < 4 || order % 4 != 0) return std::nullopt;
  if (auto matrix = paley_hadamard(order)) return matrix;
  for (const int factor : {2, 12, 20, 28}) {
    if (order % factor != 0) continue;
    const auto small = factor == 2 ? hadamard_matrix(2) : paley_hadamard(factor);
    const auto rest = hadamard_matrix(order / factor);
    if (!small || !rest) continue;
    Eigen::MatrixXd product(order, order);
    for (Eigen::Index i = 0; i < order; ++i) {
      for (Eigen::Index j = 0; j < order; ++j)
        product(i, j) = (*small)(i % factor, j % factor) * (*rest)(i / factor, j / factor);
    }
    return product;
  }
  return std::nullopt;
}

}  // namespace gnc
