#include "models/frame_polytopes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <vector>

#include "engine/error.h"
#include "models/frame_algebra.h"

namespace gnc {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

const double kGolden = (1.0 + std::sqrt(5.0)) / 2.0;

MatrixXd unit_columns(const std::vector<VectorXd>& points) {
  MatrixXd frame(points.front().size(), static_cast<Eigen::Index>(points.size()));
  for (std::size_t y = 0; y < points.size(); ++y)
    frame.col(static_cast<Eigen::Index>(y)) = points[y].normalized();
  return frame;
}

MatrixXd side_by_side(const MatrixXd& a, const MatrixXd& b) {
  MatrixXd both(a.rows(), a.cols() + b.cols());
  both << a, b;
  return both;
}

/// `point` with the signs of its entries changed in every way that differs, as the bits of a number.
template <class Visit>
void for_each_sign(const VectorXd& point, const Visit& visit) {
  const auto d = static_cast<unsigned>(point.size());
  for (unsigned signs = 0; signs < 1u << d; ++signs) {
    VectorXd changed = point;
    bool is_new = true;
    for (unsigned i = 0; i < d; ++i) {
      if ((signs >> i & 1u) == 0) continue;
      is_new = is_new && point[i] != 0.0;
      changed[i] = -point[i];
    }
    if (is_new) visit(changed, std::popcount(signs));
  }
}

bool is_even(std::array<int, 4> permutation) {
  int inversions = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = i + 1; j < 4; ++j) inversions += permutation[i] > permutation[j] ? 1 : 0;
  }
  return inversions % 2 == 0;
}

/// The tribonacci constant, the real root of t³ = t² + t + 1.
double tribonacci() {
  double t = 1.8;
  for (int i = 0; i < 20; ++i) t -= (t * t * t - t * t - t - 1.0) / (3.0 * t * t - 2.0 * t - 1.0);
  return t;
}

/// The columns of `code`, which span `dim` dimensions, in coordinates of their span.
MatrixXd in_own_coordinates(const MatrixXd& code, int dim) {
  const Eigen::ColPivHouseholderQR<MatrixXd> pivoted(code);
  const MatrixXd basis = pivoted.householderQ() * MatrixXd::Identity(code.rows(), dim);
  return (basis.transpose() * code).colwise().normalized();
}

/// The columns orthogonal to all of `others`.
MatrixXd orthogonal_to(const MatrixXd& code, const MatrixXd& others) {
  std::vector<Eigen::Index> chosen;
  for (Eigen::Index y = 0; y < code.cols(); ++y) {
    if ((others.transpose() * code.col(y)).cwiseAbs().maxCoeff() < 1e-9) chosen.push_back(y);
  }
  return code(Eigen::all, chosen);
}

/// Two roots of E8 at 120° and the roots of E6 orthogonal to them.
MatrixXd a2_of_e8() {
  MatrixXd a2 = MatrixXd::Zero(8, 2);
  a2(6, 0) = a2(7, 1) = 1.0;
  a2(7, 0) = a2(5, 1) = -1.0;
  return a2;
}

}  // namespace

Eigen::MatrixXd d_roots(int dim) {
  require(dim >= 2, "D_d needs d >= 2, not {}", dim);
  std::vector<VectorXd> roots;
  for (int i = 0; i < dim; ++i) {
    for (int j = i + 1; j < dim; ++j) {
      for (const auto& [first, second] : {std::pair{1.0, 1.0}, {-1.0, -1.0}, {1.0, -1.0}, {-1.0, 1.0}}) {
        VectorXd root = VectorXd::Zero(dim);
        root[i] = first;
        root[j] = second;
        roots.push_back(root);
      }
    }
  }
  return unit_columns(roots);
}

Eigen::MatrixXd e_roots(int dim) {
  require(dim >= 6 && dim <= 8, "E_d needs d = 6, 7 or 8, not {}", dim);
  std::vector<VectorXd> halves;
  for_each_sign(VectorXd::Ones(8), [&](const VectorXd& point, int minuses) {
    if (minuses % 2 == 0) halves.push_back(point);
  });
  const MatrixXd e8 = side_by_side(d_roots(8), unit_columns(halves));
  if (dim == 8) return e8;
  const MatrixXd a2 = a2_of_e8();
  return in_own_coordinates(orthogonal_to(e8, dim == 7 ? MatrixXd(a2.leftCols(1)) : a2), dim);
}

Eigen::MatrixXd e_series_code(int dim) {
  require(dim >= 4 && dim <= 7, "the codes that follow from E8 have 4 to 7 dimensions, not {}", dim);
  MatrixXd code = e_roots(8);
  for (int d = 7; d >= dim; --d) code = derived_code(code, 0, 1.0 / (9 - d));
  return code;
}

Eigen::MatrixXd icosahedron() {
  std::vector<VectorXd> points;
  for (int axis = 0; axis < 3; ++axis) {
    VectorXd point = VectorXd::Zero(3);
    point[(axis + 1) % 3] = 1.0;
    point[(axis + 2) % 3] = kGolden;
    for_each_sign(point, [&](const VectorXd& changed, int) { points.push_back(changed); });
  }
  return unit_columns(points);
}

Eigen::MatrixXd snub_cube() {
  const double t = tribonacci();
  std::vector<VectorXd> points;
  for (int shift = 0; shift < 3; ++shift) {
    for (const bool is_odd : {false, true}) {
      // Cyclic shifts are the even permutations of three entries, swaps of two the odd ones.
      VectorXd point(3);
      point[shift] = 1.0;
      point[(shift + (is_odd ? 2 : 1)) % 3] = 1.0 / t;
      point[(shift + (is_odd ? 1 : 2)) % 3] = t;
      for_each_sign(point, [&](const VectorXd& changed, int minuses) {
        if ((minuses % 2 == 1) == is_odd) points.push_back(changed);
      });
    }
  }
  return unit_columns(points);
}

double snub_cube_value() {
  // Neighbours (1, 1/t, t) and (1/t, t, 1) by a turn about the diagonal.
  const double t = tribonacci();
  return (1.0 / t + 1.0 + t) / (1.0 + 1.0 / (t * t) + t * t);
}

Eigen::MatrixXd cell_600() {
  std::vector<VectorXd> points;
  for (int i = 0; i < 4; ++i) {
    for (const double sign : {1.0, -1.0}) points.push_back(sign * VectorXd::Unit(4, i));
  }
  for_each_sign(VectorXd::Ones(4), [&](const VectorXd& point, int) { points.push_back(point); });
  const std::array<double, 4> entries = {kGolden, 1.0, 1.0 / kGolden, 0.0};
  std::array<int, 4> permutation = {0, 1, 2, 3};
  do {
    if (!is_even(permutation)) continue;
    VectorXd point(4);
    for (std::size_t i = 0; i < 4; ++i)
      point[static_cast<Eigen::Index>(i)] = entries[static_cast<std::size_t>(permutation[i])];
    for_each_sign(point, [&](const VectorXd& changed, int) { points.push_back(changed); });
  } while (std::next_permutation(permutation.begin(), permutation.end()));
  return unit_columns(points);
}

Eigen::MatrixXd axes_and_diagonals() {
  std::vector<VectorXd> diagonals;
  for_each_sign(VectorXd::Ones(3), [&](const VectorXd& point, int) { diagonals.push_back(point); });
  return side_by_side(MatrixXd::Identity(3, 3), lines_of(unit_columns(diagonals)));
}

Eigen::MatrixXd icosahedral_lines() {
  std::vector<VectorXd> vertices;  // of the dodecahedron
  for_each_sign(VectorXd::Ones(3), [&](const VectorXd& point, int) { vertices.push_back(point); });
  for (int axis = 0; axis < 3; ++axis) {
    VectorXd point = VectorXd::Zero(3);
    point[(axis + 1) % 3] = kGolden;
    point[(axis + 2) % 3] = 1.0 / kGolden;
    for_each_sign(point, [&](const VectorXd& changed, int) { vertices.push_back(changed); });
  }
  return side_by_side(lines_of(icosahedron()), lines_of(unit_columns(vertices)));
}

Eigen::MatrixXd simplex_and_splits() {
  MatrixXd points(6, 16);
  points.leftCols(6) = MatrixXd::Identity(6, 6).array() - 1.0 / 6.0;
  Eigen::Index y = 6;
  for (unsigned set = 0; set < 32; ++set) {  // the side of three that lacks the last point
    if (std::popcount(set) != 3) continue;
    for (unsigned i = 0; i < 6; ++i) points(i, y) = (set >> i & 1u) != 0 ? 1.0 : -1.0;
    ++y;
  }
  points.colwise().normalize();
  return in_own_coordinates(points, 5);
}

Eigen::MatrixXd axes_and_half_cube() {
  std::vector<VectorXd> points;
  for_each_sign(VectorXd::Ones(6), [&](const VectorXd& point, int minuses) {
    if (minuses % 2 == 0) points.push_back(point);
  });
  return side_by_side(MatrixXd::Identity(6, 6), lines_of(unit_columns(points)));
}

Eigen::MatrixXd axes_and_triples() {
  std::vector<VectorXd> points;
  for (unsigned set = 0; set < 32; ++set) {
    if (std::popcount(set) != 3) continue;
    VectorXd point(5);
    for (unsigned i = 0; i < 5; ++i) point[i] = (set >> i & 1u) != 0 ? 1.0 : 0.0;
    for_each_sign(point, [&](const VectorXd& changed, int) { points.push_back(changed); });
  }
  return side_by_side(MatrixXd::Identity(5, 5), lines_of(unit_columns(points)));
}

Eigen::MatrixXd e6_and_dual() {
  // The dual of E6 is the projection of E8: of roots at 60° to one root of the A2 across and at 90° or 120°
  // to the other, those 27 of one sign for each of the three weights of A2.
  const MatrixXd e8 = e_roots(8);
  const MatrixXd a2 = a2_of_e8();
  const MatrixXd e6 = orthogonal_to(e8, a2);
  std::vector<VectorXd> dual;
  const MatrixXd products = a2.transpose() * e8;
  const double step = products.row(0).cwiseAbs().maxCoeff() / 2.0;  // a2 is not of unit length
  const MatrixXd orthonormal = a2.householderQr().householderQ() * MatrixXd::Identity(8, 2);
  for (Eigen::Index y = 0; y < e8.cols(); ++y) {
    if (std::abs(products(0, y) - step) < 1e-9 && std::abs(products(1, y)) < 1e-9)
      dual.push_back(e8.col(y) - orthonormal * (orthonormal.transpose() * e8.col(y)));
  }
  return in_own_coordinates(side_by_side(lines_of(e6), unit_columns(dual)), 6);
}

Eigen::MatrixXd affine_plane_lines() {
  std::vector<VectorXd> points;
  const auto take_line = [&](const std::array<int, 3>& line) {
    VectorXd point = VectorXd::Zero(9);
    for (const int i : line) point[i] = 1.0;
    for_each_sign(point, [&](const VectorXd& changed, int) { points.push_back(changed); });
  };
  for (int intercept = 0; intercept < 3; ++intercept) {
    take_line({3 * intercept, 3 * intercept + 1, 3 * intercept + 2});  // x = intercept
    for (int slope = 0; slope < 3; ++slope)
      take_line({intercept, 3 + (intercept + slope) % 3, 6 + (intercept + 2 * slope) % 3});
  }
  return lines_of(unit_columns(points));
}

}  // namespace gnc
