#include "engine/metrics/neural_collapse.h"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"
#include "engine/metrics/column_products.h"

namespace gnc {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Samples converted to double at a time: a chunk and its products stay in the second-level cache.
constexpr Eigen::Index kChunk = 64;
static_assert(kChunk % ColumnProducts::kRows == 0);

/// Columns divided by their norms; a zero column becomes NaN, which every quantity made from it then is.
Eigen::MatrixXd unit_columns(const Eigen::MatrixXd& matrix) {
  Eigen::MatrixXd unit = matrix;
  for (Eigen::Index y = 0; y < unit.cols(); ++y) unit.col(y) /= unit.col(y).norm();
  return unit;
}

/// Calls visit(cos(column i, column j)) for all i < j, in order.
template <class Visit>
void for_each_cosine(const Eigen::MatrixXd& matrix, Visit&& visit) {
  const Eigen::MatrixXd unit = unit_columns(matrix);
  for (Eigen::Index j = 1; j < unit.cols(); ++j) {
    for (Eigen::Index i = 0; i < j; ++i) visit(unit.col(i).dot(unit.col(j)));
  }
}

double max_cosine(const Eigen::MatrixXd& matrix) {
  double largest = -1;  // no cosine is less
  for_each_cosine(matrix, [&](double cosine) {
    // Written so that a NaN, once there, stays.
    if (!(cosine <= largest)) largest = std::isnan(largest) ? largest : std::min(cosine, 1.0);
  });
  return largest;
}

double equiangularity_error(const Eigen::MatrixXd& centred) {
  const auto classes = static_cast<double>(centred.cols());
  double sum = 0;
  for_each_cosine(centred, [&](double cosine) { sum += std::abs(cosine + 1 / (classes - 1)); });
  return sum / (classes * (classes - 1) / 2);
}

/// The columns q_k/√λ_k [d,r] over the eigenpairs of S_B that count, so that ‖whiteningᵀv‖² = vᵀS_B⁺v. The
/// eigenproblem is solved on the smaller of S_B [d,d] and the Gram matrix [C,C] of the centred means, which
/// share their eigenvalues.
Eigen::MatrixXd whitening(const Eigen::MatrixXd& centred) {
  const Eigen::Index dimension = centred.rows();
  const Eigen::Index classes = centred.cols();
  const bool by_class = classes < dimension;
  const Eigen::MatrixXd vectors = by_class ? centred : Eigen::MatrixXd(centred.transpose());
  Eigen::MatrixXd gram(vectors.cols(),
                       vectors.cols());  // inner products of columns, one by one: their order is fixed
  for (Eigen::Index j = 0; j < gram.cols(); ++j) {
    for (Eigen::Index i = 0; i <= j; ++i) {
      gram(i, j) = gram(j, i) = vectors.col(i).dot(vectors.col(j)) / static_cast<double>(classes);
    }
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
  require(solver.info() == Eigen::Success, "class means: the eigenvalues of S_B did not converge");
  const Eigen::VectorXd& values = solver.eigenvalues();  // ascending
  const double cut = static_cast<double>(std::max(dimension, classes)) *
                     std::numeric_limits<double>::epsilon() * std::max(values[values.size() - 1], 0.0);
  Eigen::Index rank = 0;
  const Eigen::Index most = std::min(dimension, classes - 1);
  while (rank < most && values[values.size() - 1 - rank] > cut) ++rank;

  Eigen::MatrixXd result(dimension, rank);
  for (Eigen::Index k = 0; k < rank; ++k) {
    const Eigen::Index index = values.size() - 1 - k;
    const auto eigenvector = solver.eigenvectors().col(index);
    if (by_class) {
      // The eigenvector of S_B is Żv/‖Żv‖; its length is taken from the product itself, which is more exact
      // than √(Cλ).
      result.col(k) = (centred * eigenvector).normalized() / std::sqrt(values[index]);
    } else {
      result.col(k) = eigenvector / std::sqrt(values[index]);
    }
  }
  return result;
}

/// First largest of the first `count` entries.
template <class Row>
int index_of_largest(const Row& row, Eigen::Index count) {
  Eigen::Index best = 0;
  for (Eigen::Index y = 1; y < count; ++y) {
    if (row[y] > row[best]) best = y;
  }
  return static_cast<int>(best);
}

/// What the second reading of the features sums up, in the order of the samples.
struct SampleSums {
  double deviations = 0;          // Σ ‖z − z̄_y‖
  double squared_deviations = 0;  // Σ ‖z − z̄_y‖²
  double squared_whitened = 0;    // Σ (z − z̄_y)ᵀ S_B⁺ (z − z̄_y)
  double dual_distances = 0;      // Σ ‖z − M_y‖
  double dual_angles = 0;         // Σ ‖z/‖z‖ − M_y/‖M_y‖‖
  double largest_margin = 0;
  Eigen::VectorXd squared_norms;  // [C]
  std::int64_t disagreements = 0;
  Eigen::MatrixXd margins;  // [C,C], column i: γ_i·, so that one sample's lie together in memory
};

/// The second reading.
class SecondReading {
 public:
  SecondReading(const ClassMeans& means, const Eigen::MatrixXd& classifier, const Eigen::MatrixXd& centred,
                const Eigen::MatrixXd& whitening_columns)
      : means_(means),
        classifier_(classifier),
        unit_classifier_(unit_columns(classifier)),
        global_mean_(means.global_mean()),
        half_squared_norms_(0.5 * centred.colwise().squaredNorm()),
        logits_of_(classifier),
        nearness_of_(centred),
        whitened_of_(whitening_columns) {
    sums_.squared_norms = Eigen::VectorXd::Zero(classifier.cols());
    sums_.margins = Eigen::MatrixXd::Constant(classifier.cols(), classifier.cols(),
                                              std::numeric_limits<double>::infinity());
  }

  template <class Real>
  SampleSums sum(const BasicFeatureView<Real>& view) {
    const Eigen::Index dimension = view.feature_dim;
    raw_.setZero(kChunk, dimension);
    centred_.setZero(kChunk, dimension);
    deviation_.setZero(kChunk, dimension);
    for (std::int64_t first = 0; first < view.size(); first += kChunk) {
      const Eigen::Index count = std::min<std::int64_t>(kChunk, view.size() - first);
      for (Eigen::Index n = 0; n < count; ++n) add_distances(view, first + n, n);
      logits_of_.multiply(raw_, logits_);
      nearness_of_.multiply(centred_, nearness_);
      whitened_of_.multiply(deviation_, whitened_);
      for (Eigen::Index n = 0; n < count; ++n) add_products(view.label(first + n), n);
    }
    return std::move(sums_);
  }

 private:
  template <class Real>
  void add_distances(const BasicFeatureView<Real>& view, std::int64_t sample, Eigen::Index n) {
    const int y = view.label(sample);
    const Eigen::Map<const Eigen::VectorX<Real>> z(view.sample(sample).data(), view.feature_dim);
    auto raw = raw_.row(n).transpose();
    raw = z.template cast<double>();
    centred_.row(n).transpose() = raw - global_mean_;
    deviation_.row(n).transpose() = raw - means_.means.col(y);
    const double squared_deviation = deviation_.row(n).squaredNorm();
    sums_.squared_deviations += squared_deviation;
    sums_.deviations += std::sqrt(squared_deviation);
    sums_.dual_distances += (raw - classifier_.col(y)).norm();
    const double norm = raw.norm();
    sums_.squared_norms[y] += norm * norm;
    sums_.dual_angles += norm > 0 ? (raw / norm - unit_classifier_.col(y)).norm() : 1.0;
  }

  void add_products(int y, Eigen::Index n) {
    const Eigen::Index classes = classifier_.cols();
    const auto logits = logits_.row(n);
    // ‖z − z̄_y‖² up to a term without y, and about μ_G, where the terms are smallest: ½‖z̄_y − μ_G‖² − <z −
    // μ_G, z̄_y − μ_G>.
    nearness_.row(n).head(classes) -= half_squared_norms_;
    const bool agrees = index_of_largest(logits, classes) == index_of_largest(nearness_.row(n), classes);
    sums_.disagreements += agrees ? 0 : 1;
    for (Eigen::Index j = 0; j < classes; ++j) {
      const double margin = logits[y] - logits[j];
      sums_.margins(j, y) = std::min(sums_.margins(j, y), margin);
      sums_.largest_margin = std::max(sums_.largest_margin, std::abs(margin));
    }
    sums_.squared_whitened += whitened_.row(n).squaredNorm();
  }

  const ClassMeans& means_;
  const Eigen::MatrixXd& classifier_;
  Eigen::MatrixXd unit_classifier_;
  Eigen::VectorXd global_mean_;
  Eigen::RowVectorXd half_squared_norms_;
  ColumnProducts logits_of_;
  ColumnProducts nearness_of_;
  ColumnProducts whitened_of_;
  RowMajorMatrix raw_, centred_, deviation_;     // [kChunk,d]
  RowMajorMatrix logits_, nearness_, whitened_;  // [kChunk, C, C and r, rounded up]
  SampleSums sums_;
};

double smallest_off_diagonal(const Eigen::MatrixXd& matrix) {
  double smallest = std::numeric_limits<double>::infinity();
  for (Eigen::Index j = 0; j < matrix.cols(); ++j) {
    for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
      if (i != j) smallest = std::min(smallest, matrix(i, j));
    }
  }
  return smallest;
}

template <class Real>
void check_classifier(const BasicFeatureView<Real>& view, const Eigen::MatrixXd& classifier) {
  require<ShapeError>(
      classifier.rows() == view.feature_dim && classifier.cols() == view.num_classes,
      "measure_collapse: classifier [{},{}] for features of dimension {} and {} classes; expected "
      "[{},{}]",
      classifier.rows(), classifier.cols(), view.feature_dim, view.num_classes, view.feature_dim,
      view.num_classes);
  for (Eigen::Index y = 0; y < classifier.cols(); ++y) {
    require(classifier.col(y).allFinite(), "measure_collapse: column {} of the classifier is not finite", y);
  }
}

}  // namespace

template <class Real>
CollapseReport measure_collapse(const BasicFeatureView<Real>& view, const Eigen::MatrixXd& classifier) {
  check_classifier(view, classifier);
  const ClassMeans means = class_means(view);
  const Eigen::VectorXd global_mean = means.global_mean();
  const Eigen::MatrixXd centred = means.means.colwise() - global_mean;
  const Eigen::MatrixXd whitening_columns = whitening(centred);
  const SampleSums sums = SecondReading(means, classifier, centred, whitening_columns).sum(view);

  const auto samples = static_cast<double>(view.size());
  const auto classes = static_cast<double>(view.num_classes);
  const double mean_norm = means.means.colwise().norm().mean();
  const Eigen::RowVectorXd centred_norms = centred.colwise().norm();
  const double mean_centred_norm = centred_norms.mean();

  CollapseReport report;
  report.nc1 = sums.deviations / samples / mean_norm;
  report.nc2 = sums.dual_angles / samples;
  report.class_means = means.means;
  report.max_cosine_means = max_cosine(means.means);
  report.max_cosine_classifier = max_cosine(classifier);
  report.nc3 = report.max_cosine_means - report.max_cosine_classifier;
  report.nc4 = static_cast<double>(sums.disagreements) / samples;
  report.dual_distance = sums.dual_distances / samples;
  report.between_rank = static_cast<int>(whitening_columns.cols());
  report.within_between_pinv = report.between_rank == 0 ? kNaN : sums.squared_whitened / samples / classes;
  report.within_between_quotient =
      sums.squared_deviations / samples / (centred_norms.squaredNorm() / classes);
  report.equinorm =
      std::sqrt((centred_norms.array() - mean_centred_norm).square().mean()) / mean_centred_norm;
  report.equiangular = equiangularity_error(centred);
  report.self_duality = (classifier / classifier.norm() - centred / centred.norm()).squaredNorm();
  report.mean_offset = global_mean.norm() / mean_norm;
  report.margins = sums.margins.transpose();
  report.smallest_margin = smallest_off_diagonal(report.margins);
  report.mean_margin = report.margins.sum() / (classes * (classes - 1));
  report.largest_margin = sums.largest_margin;
  report.squared_norms = sums.squared_norms;
  report.counts = means.counts;
  return report;
}

template CollapseReport measure_collapse(const BasicFeatureView<float>&, const Eigen::MatrixXd&);
template CollapseReport measure_collapse(const BasicFeatureView<double>&, const Eigen::MatrixXd&);

std::vector<std::pair<std::string, double>> columns(const CollapseReport& report) {
  return {{"nc1", report.nc1},
          {"nc2", report.nc2},
          {"nc3", report.nc3},
          {"nc4", report.nc4},
          {"max_cosine_means", report.max_cosine_means},
          {"max_cosine_classifier", report.max_cosine_classifier},
          {"dual_distance", report.dual_distance},
          {"within_between_pinv", report.within_between_pinv},
          {"between_rank", static_cast<double>(report.between_rank)},
          {"within_between_quotient", report.within_between_quotient},
          {"equinorm", report.equinorm},
          {"equiangular", report.equiangular},
          {"self_duality", report.self_duality},
          {"mean_offset", report.mean_offset},
          {"smallest_margin", report.smallest_margin},
          {"mean_margin", report.mean_margin}};
}

std::vector<std::string> collapse_column_names() {
  std::vector<std::string> names;
  for (auto& [name, value] : columns(CollapseReport{})) names.push_back(std::move(name));
  return names;
}

}  // namespace gnc
