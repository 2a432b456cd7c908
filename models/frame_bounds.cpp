#include "models/frame_bounds.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/error.h"
#include "models/frame_catalogue.h"

namespace gnc {
namespace {

constexpr double kPi = std::numbers::pi;

/// The largest zero of the Jacobi polynomial P_degree^{(alpha,beta)}: the largest eigenvalue of its Jacobi
/// matrix (Golub and Welsch 1969).
double largest_jacobi_zero(int degree, double alpha, double beta) {
  Eigen::VectorXd diagonal(degree), below(std::max(degree - 1, 0));
  for (int k = 0; k < degree; ++k) {
    const double sum = 2.0 * k + alpha + beta;
    // k = 0 apart: the general formula is 0/0 where alpha + beta = 0.
    diagonal[k] =
        k == 0 ? (beta - alpha) / (alpha + beta + 2.0) : (beta * beta - alpha * alpha) / (sum * (sum + 2.0));
  }
  for (int k = 1; k < degree; ++k) {
    const double sum = 2.0 * k + alpha + beta;
    // For k = 1 the factors (k + alpha + beta) and (sum - 1) are equal and may both be 0.
    const double square = k == 1 ? 4.0 * (1.0 + alpha) * (1.0 + beta) / (sum * sum * (sum + 1.0))
                                 : 4.0 * k * (k + alpha) * (k + beta) * (k + alpha + beta) /
                                       (sum * sum * (sum + 1.0) * (sum - 1.0));
    below[k - 1] = std::sqrt(square);
  }
  if (degree == 1) return diagonal[0];
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
  solver.computeFromTridiagonal(diagonal, below, Eigen::EigenvaluesOnly);
  return solver.eigenvalues()[degree - 1];
}

/// Gegenbauer polynomials of dimension d with P(1) = 1, at s, of degrees 0 … degree.
std::vector<double> gegenbauer(int dim, int degree, double s) {
  std::vector<double> values = {1.0, s};
  for (int k = 1; k < degree; ++k) {
    const auto i = static_cast<std::size_t>(k);
    values.push_back(((2.0 * k + dim - 2.0) * s * values[i] - k * values[i - 1]) / (k + dim - 2.0));
  }
  return values;
}

double binomial(int n, int k) {
  double value = 1.0;
  for (int i = 1; i <= k; ++i) value *= static_cast<double>(n - k + i) / i;
  return value;
}

/// L_{2k-1}(d, s).
double levenshtein_odd(int d, int k, double s) {
  const std::vector<double> p = gegenbauer(d, k, s);
  const double last = p[static_cast<std::size_t>(k)], before = p[static_cast<std::size_t>(k - 1)];
  return binomial(k + d - 3, k - 1) *
         ((2.0 * k + d - 3.0) / (d - 1.0) - (before - last) / ((1.0 - s) * last));
}

/// L_{2k}(d, s).
double levenshtein_even(int d, int k, double s) {
  const std::vector<double> p = gegenbauer(d, k + 1, s);
  const double last = p[static_cast<std::size_t>(k + 1)], before = p[static_cast<std::size_t>(k)];
  return binomial(k + d - 2, k) *
         ((2.0 * k + d - 1.0) / (d - 1.0) - (1.0 + s) * (before - last) / ((1.0 - s) * (before + last)));
}

/// Fejes Tóth 1943, for n > 6 points of the sphere in space.
double fejes_toth(double n) {
  const double cotangent = 1.0 / std::tan(n / (n - 2.0) * kPi / 6.0);
  return 0.5 * (cotangent * cotangent - 1.0);
}

void add_signed_bounds(std::vector<FrameBound>& bounds, int d, int classes) {
  const double c = classes;
  if (classes <= d + 1) bounds.push_back({"simplex", -1.0 / (c - 1.0), true, "C <= d+1"});
  if (classes >= d + 2 && classes <= 2 * d) bounds.push_back({"rankin", 0.0, true, "d+2 <= C <= 2d"});
  if (d == 1 && classes > 2) bounds.push_back({"pigeonhole", 1.0, true, "d = 1, C > 2"});
  // sin(π/2 - 2π/C), so that C = 4 gives exactly 0.
  if (d == 2 && classes > 3)
    bounds.push_back({"polygon", std::sin(kPi * (c - 4.0) / (2.0 * c)), true, "d = 2"});
  if (d == 3 && classes > 6) bounds.push_back({"fejes-toth", fejes_toth(c), classes == 12, "d = 3"});
  if (d >= 3 && classes > 2 * d)
    bounds.push_back({"levenshtein", levenshtein_bound(d, classes), false, "C > 2d"});
}

void add_absolute_bounds(std::vector<FrameBound>& bounds, int d, int classes) {
  const double c = classes, dim = d;
  if (classes <= d) {
    bounds.push_back({"orthonormal", 0.0, true, "C <= d"});
    return;
  }
  if (d == 1) {
    bounds.push_back({"pigeonhole", 1.0, true, "d = 1"});
    return;
  }
  const bool is_simplex = classes == d + 1;
  bounds.push_back({"welch", std::sqrt((c - dim) / (dim * (c - 1.0))), is_simplex,
                    "C > d; attained by equiangular tight frames only, which have C <= d(d+1)/2"});
  const double k = c - dim, pairs = k * (k + 1.0);
  bounds.push_back({"bukh-cox", pairs / (2.0 * c + (c * c - dim * c - c) * std::sqrt(k + 2.0) - pairs),
                    is_simplex, "C > d"});
  if (d == 2) bounds.push_back({"polygon", std::cos(kPi / c), true, "d = 2"});
  if (2.0 * c > dim * (dim + 1.0)) {
    bounds.push_back({"orthoplex", 1.0 / std::sqrt(dim), false, "C > d(d+1)/2"});
    bounds.push_back({"levenshtein", std::sqrt((3.0 * c - dim * dim - 2.0 * dim) / ((dim + 2.0) * (c - dim))),
                      false, "C > d(d+1)/2"});
  }
  // Lines are as far apart as the 2C points in which they meet the sphere, and bounds for those hold.
  if (d == 3) bounds.push_back({"fejes-toth", fejes_toth(2.0 * c), false, "d = 3, the 2C points ±m_y"});
  if (d >= 3)
    bounds.push_back({"levenshtein-points", levenshtein_bound(d, 2 * classes), false, "the 2C points ±m_y"});
}

/// Marks the bounds that a construction of the house meets.
void mark_attained(std::vector<FrameBound>& bounds, int dim, int classes, FrameObjective objective) {
  constexpr double kRounding = 1e-11;  // of a Levenshtein bound
  for (const CatalogueCode& code : frame_catalogue(dim, objective)) {
    if (code.classes < classes) continue;
    for (FrameBound& bound : bounds) bound.is_attained |= code.value <= bound.value + kRounding;
  }
}

}  // namespace

double levenshtein_bound(int dim, int classes) {
  require(dim >= 2 && classes >= 2, "the Levenshtein bound needs d >= 2 and C >= 2, not {} and {}", dim,
          classes);
  // L is continuous and increasing: L_{2k-1} from t_{k-1}^{1,1} to t_k^{1,0}, then L_{2k} from there to
  // t_k^{1,1}, the largest zeros of the Jacobi polynomials with exponents (d-1)/2 and (d-3)/2, and (d-1)/2
  // twice.
  const double high = 0.5 * (dim - 1.0), low = 0.5 * (dim - 3.0);
  double from = -1.0;
  for (int k = 1;; ++k) {
    for (const bool is_odd : {true, false}) {
      const double to = largest_jacobi_zero(k, high, is_odd ? low : high);
      const auto size = [&](double s) {
        return is_odd ? levenshtein_odd(dim, k, s) : levenshtein_even(dim, k, s);
      };
      if (size(to) < classes) {
        from = to;
        continue;
      }
      double below = from, above = to;
      for (int i = 0; i < 200 && below < above; ++i) {
        const double middle = 0.5 * (below + above);
        if (middle == below || middle == above) break;
        (size(middle) < classes ? below : above) = middle;
      }
      return above;
    }
  }
}

std::vector<FrameBound> frame_bounds(int dim, int classes, FrameObjective objective) {
  require(dim >= 1 && classes >= 2, "bounds need d >= 1 and C >= 2, not {} and {}", dim, classes);
  std::vector<FrameBound> bounds;
  if (objective == FrameObjective::kSigned) {
    add_signed_bounds(bounds, dim, classes);
  } else {
    add_absolute_bounds(bounds, dim, classes);
  }
  mark_attained(bounds, dim, classes, objective);
  std::stable_sort(bounds.begin(), bounds.end(),
                   [](const FrameBound& a, const FrameBound& b) { return a.value > b.value; });
  return bounds;
}

}  // namespace gnc
