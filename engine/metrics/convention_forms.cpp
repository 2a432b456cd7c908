#include "engine/metrics/convention_forms.h"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"

namespace gnc {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Calls visit(position, i, j) for the pairs i < j in order.
template <class Visit>
void for_each_pair(Eigen::Index count, Visit&& visit) {
  Eigen::Index position = 0;
  for (Eigen::Index i = 0; i < count; ++i) {
    for (Eigen::Index j = i + 1; j < count; ++j) visit(position++, i, j);
  }
}

Eigen::Index pairs(Eigen::Index count) { return count * (count - 1) / 2; }

/// Eigenpairs of a positive semidefinite matrix; not a number anywhere gives NaN everywhere.
struct EigenPairs {
  Eigen::VectorXd values;   // ascending
  Eigen::MatrixXd vectors;  // columns
};

EigenPairs eigen_pairs(const Eigen::MatrixXd& matrix, const char* name) {
  if (!matrix.allFinite()) {
    return {.values = Eigen::VectorXd::Constant(matrix.rows(), kNaN),
            .vectors = Eigen::MatrixXd::Constant(matrix.rows(), matrix.rows(), kNaN)};
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix);
  require(solver.info() == Eigen::Success, "conventions: the eigenvalues of {} did not converge", name);
  return {.values = solver.eigenvalues(), .vectors = solver.eigenvectors()};
}

/// Σ_k form(q_k) / λ_k over the largest eigenpairs above the cut, at most `most`; NaN when there is none.
template <class Form>
double trace_with_inverse(const EigenPairs& inverted, double relative_cut, Eigen::Index most, Form&& form) {
  const Eigen::Index size = inverted.values.size();
  const double largest = inverted.values[size - 1];
  if (!(largest > 0)) return kNaN;
  double trace = 0;
  for (Eigen::Index k = 0; k < std::min(most, size); ++k) {
    const Eigen::Index index = size - 1 - k;
    if (!(inverted.values[index] > relative_cut * largest)) break;
    trace += form(Eigen::VectorXd(inverted.vectors.col(index))) / inverted.values[index];
  }
  return trace;
}

double cut_of(const Moments& moments) {
  return static_cast<double>(std::max(moments.means.rows(), moments.means.cols())) * kEpsilon;
}

Eigen::Index most_rank(const Moments& moments) {
  return std::min(moments.means.rows(), moments.means.cols() - 1);
}

/// The centred means in coordinates of the basis [C,r].
Eigen::MatrixXd coordinates(const Moments& moments, const Eigen::VectorXd& centre) {
  return column_products(moments.means.colwise() - centre, moments.basis);
}

/// basisᵀ S_B basis [r,r] from the coordinates.
Eigen::MatrixXd between(const Eigen::MatrixXd& means) {
  return column_products(means, means) / static_cast<double>(means.rows());
}

}  // namespace

Spread spread(const Eigen::VectorXd& values) {
  const auto count = static_cast<double>(values.size());
  const double mean = values.mean();
  const double squares = (values.array() - mean).square().sum();
  return {.mean = mean, .biased = std::sqrt(squares / count), .unbiased = std::sqrt(squares / (count - 1))};
}

Eigen::MatrixXd unit_columns(const Eigen::MatrixXd& vectors) {
  Eigen::MatrixXd unit = vectors;
  for (Eigen::Index k = 0; k < unit.cols(); ++k) unit.col(k) /= unit.col(k).norm();
  return unit;
}

Eigen::MatrixXd column_products(const Eigen::MatrixXd& left, const Eigen::MatrixXd& right) {
  Eigen::MatrixXd products(left.cols(), right.cols());
  for (Eigen::Index j = 0; j < right.cols(); ++j) {
    for (Eigen::Index i = 0; i < left.cols(); ++i) products(i, j) = left.col(i).dot(right.col(j));
  }
  return products;
}

Eigen::VectorXd upper_triangle(const Eigen::MatrixXd& matrix) {
  Eigen::VectorXd values(pairs(matrix.cols()));
  for_each_pair(matrix.cols(), [&](Eigen::Index position, Eigen::Index i, Eigen::Index j) {
    values[position] = matrix(i, j);
  });
  return values;
}

Eigen::VectorXd pair_cosines(const Eigen::MatrixXd& vectors) {
  const Eigen::MatrixXd unit = unit_columns(vectors);
  Eigen::VectorXd values(pairs(unit.cols()));
  for_each_pair(unit.cols(), [&](Eigen::Index position, Eigen::Index i, Eigen::Index j) {
    const double cosine = unit.col(i).dot(unit.col(j));
    // Rounding must not give a cosine beyond 1; a NaN fails both comparisons and stays.
    values[position] = cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
  });
  return values;
}

Eigen::VectorXd pair_distances(const Eigen::MatrixXd& vectors) {
  const Eigen::MatrixXd unit = unit_columns(vectors);
  Eigen::VectorXd values(pairs(unit.cols()));
  for_each_pair(unit.cols(), [&](Eigen::Index position, Eigen::Index i, Eigen::Index j) {
    values[position] = (unit.col(i) - unit.col(j)).norm();
  });
  return values;
}

double within_over_between(const Moments& moments, const Eigen::VectorXd& centre) {
  require(moments.within.size() > 0, "conventions: Tr(S_W S_B+) needs moments with S_W");
  const EigenPairs pairs_between = eigen_pairs(between(coordinates(moments, centre)), "S_B");
  return trace_with_inverse(pairs_between, cut_of(moments), most_rank(moments),
                            [&](const Eigen::VectorXd& q) {
                              // qᵀ S_W q, column by column: a matrix product's order may depend on the
                              // machine.
                              double form = 0;
                              for (Eigen::Index j = 0; j < q.size(); ++j)
                                form += q[j] * moments.within.col(j).dot(q);
                              return std::max(form, 0.0);  // S_W ⪰ 0: less than 0 is rounding
                            });
}

double simplex_gram_error(const Eigen::MatrixXd& gram) {
  const auto classes = static_cast<double>(gram.cols());
  Eigen::MatrixXd difference = gram / gram.norm();
  difference.array() += 1 / classes / std::sqrt(classes - 1);
  difference.diagonal().array() -= 1 / std::sqrt(classes - 1);
  return difference.norm();
}

double simplex_gram_floor(int dimension, int classes) {
  if (classes <= dimension + 1) return 0;
  return std::sqrt(2 - 2 * std::sqrt(static_cast<double>(dimension) / (classes - 1)));
}

double equiangularity(const Eigen::MatrixXd& vectors) {
  const double simplex = -1 / (static_cast<double>(vectors.cols()) - 1);
  return (pair_cosines(vectors).array() - simplex).abs().mean();
}

double dual_distance(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  return (a / a.norm() - b / b.norm()).norm();
}

Eigen::VectorXd pair_variances(const Eigen::MatrixXd& means, const Eigen::VectorXd& variances,
                               double least_denominator) {
  Eigen::VectorXd values(pairs(means.cols()));
  for_each_pair(means.cols(), [&](Eigen::Index position, Eigen::Index i, Eigen::Index j) {
    const double denominator = 2 * (means.col(i) - means.col(j)).squaredNorm();
    values[position] = (variances[i] + variances[j]) / std::max(denominator, least_denominator);
  });
  return values;
}

double variability_collapse_index(const Moments& moments, const Eigen::VectorXd& centre) {
  require(moments.within.rows() == moments.means.rows(),
          "conventions: the variability collapse index needs S_W on all {} dimensions; the moments have {}",
          moments.means.rows(), moments.within.rows());
  const Eigen::MatrixXd means = coordinates(moments, centre);
  const EigenPairs total = eigen_pairs(between(means) + moments.within, "S_B + S_W");
  const double trace =
      trace_with_inverse(total, cut_of(moments), moments.means.rows(), [&](const Eigen::VectorXd& q) {
        // qᵀ S_B q as a sum of squares: along an eigenvector of S_W alone, λ is tiny when the features have
        // nearly collapsed, and the rounding of the form itself would be divided by it.
        double form = 0;
        for (Eigen::Index c = 0; c < means.rows(); ++c) form += std::pow(means.row(c).dot(q), 2);
        return form / static_cast<double>(means.rows());
      });
  return 1 - trace / static_cast<double>(most_rank(moments));
}

double frame_potential(const Eigen::MatrixXd& vectors) {
  const auto dimension = static_cast<double>(vectors.rows());
  const auto classes = static_cast<double>(vectors.cols());
  const double sum = classes + 2 * pair_cosines(vectors).squaredNorm();
  return sum / std::max(classes, classes * classes / dimension);
}

double tightness(const Eigen::MatrixXd& vectors) {
  if (vectors.cols() < vectors.rows()) return vectors.squaredNorm() > 0 ? 0 : kNaN;
  const Eigen::MatrixXd rows = vectors.transpose();
  const EigenPairs frame = eigen_pairs(column_products(rows, rows), "the frame operator");
  return std::max(frame.values[0], 0.0) / frame.values[frame.values.size() - 1];
}

double welch_bound(int dimension, int classes) {
  if (classes <= dimension) return 0;
  return std::sqrt(static_cast<double>(classes - dimension) /
                   (static_cast<double>(dimension) * (classes - 1)));
}

double rankin_bound(int dimension, int classes) {
  return classes <= dimension + 1 ? -1.0 / (classes - 1) : 0;
}

}  // namespace gnc
