#include "engine/metrics/conventions.h"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "engine/error.h"
#include "engine/metrics/feature_moments.h"
#include "engine/metrics/one_vs_rest.h"
#include "engine/nearest_name.h"

namespace gnc {
namespace {

using Matrix = Eigen::MatrixXd;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// What the columns are computed from.
struct Measured {
  FeatureMoments moments;
  std::optional<FeatureMoments> unit;  // of unit features, where a column asks for them
  Matrix classifier;                   // W [d,C]
  Eigen::VectorXd bias;                // empty: none
  Matrix by_samples;                   // μ_c − mean over samples
  Matrix by_classes;                   // μ_c − mean of the class means

  auto d() const { return classifier.rows(); }
  auto classes() const { return classifier.cols(); }
};

/// Tr(within · (ZZᵀ/C)⁺), Z = `centred` [d,C], over at most `most` eigenvalues.
double pinv_trace(const Matrix& within, const Matrix& centred, Eigen::Index most) {
  const auto classes = static_cast<double>(centred.cols());
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(Matrix(centred * centred.transpose() / classes));
  const Eigen::VectorXd& values = solver.eigenvalues();  // ascending
  const Eigen::Index d = values.size();
  const double cut = static_cast<double>(std::max(centred.rows(), centred.cols())) *
                     std::numeric_limits<double>::epsilon() * std::max(values[d - 1], 0.0);
  double trace = 0;
  Eigen::Index rank = 0;
  for (; rank < std::min(most, d) && values[d - 1 - rank] > cut; ++rank) {
    const auto q = solver.eigenvectors().col(d - 1 - rank);
    trace += q.dot(within * q) / values[d - 1 - rank];
  }
  return rank == 0 ? kNaN : trace;
}

double pinv_trace_of(const FeatureMoments& moments, const Matrix& centred) {
  return pinv_trace(moments.within, centred, centred.cols());
}

/// std/mean of the columns' norms; `freedom` is what is taken off C under the sum of squares.
double norm_variation(const Matrix& columns, double freedom) {
  const Eigen::VectorXd norms = columns.colwise().norm().transpose();
  const double squares = (norms.array() - norms.mean()).square().sum();
  return std::sqrt(squares / (static_cast<double>(norms.size()) - freedom)) / norms.mean();
}

Matrix unit_columns(const Matrix& columns) {
  return columns.array().rowwise() / columns.colwise().norm().array();
}

/// f of every pair a < b.
template <class Function>
std::vector<double> over_pairs(Eigen::Index classes, Function&& f) {
  std::vector<double> values;
  for (Eigen::Index b = 1; b < classes; ++b)
    for (Eigen::Index a = 0; a < b; ++a) values.push_back(f(a, b));
  return values;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double variance(const std::vector<double>& values) {
  const double centre = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - centre) * (value - centre);
  return sum / static_cast<double>(values.size());
}

std::vector<double> pair_cosines(const Matrix& a, const Matrix& b) {
  const Matrix cosines = unit_columns(a).transpose() * unit_columns(b);
  return over_pairs(a.cols(), [&](Eigen::Index i, Eigen::Index j) { return cosines(i, j); });
}

double equiangularity(const Matrix& columns) {
  std::vector<double> cosines = pair_cosines(columns, columns);
  for (double& cosine : cosines) cosine = std::abs(cosine + 1 / static_cast<double>(columns.cols() - 1));
  return mean(cosines);
}

/// ‖G/‖G‖_F − (I − 11ᵀ/C)/√(C−1)‖_F.
double etf_distance(const Matrix& gram) {
  const auto classes = static_cast<double>(gram.cols());
  const Matrix simplex =
      (Matrix::Identity(gram.rows(), gram.cols()).array() - 1 / classes) / std::sqrt(classes - 1);
  return (gram / gram.norm() - simplex).norm();
}

Matrix centred_columns(const Matrix& columns) { return columns.colwise() - columns.rowwise().mean(); }

double duality_distance(const Matrix& classifier, const Matrix& centred) {
  return (classifier / classifier.norm() - centred / centred.norm()).norm();
}

/// Kernel of the distances of unit centred means (Wu, Papyan 2024).
template <class Kernel>
std::vector<double> kernel_values(const Measured& m, Kernel&& kernel) {
  const Matrix unit = unit_columns(m.by_classes);
  return over_pairs(m.classes(), [&](Eigen::Index a, Eigen::Index b) {
    return kernel((unit.col(a) - unit.col(b)).norm());
  });
}
double distance_kernel(double distance) { return distance; }
double log_kernel(double distance) { return -std::log(distance); }
auto riesz_kernel(const Measured& m) {
  return [s = static_cast<double>(m.d() - 2)](double distance) {
    return s == 0 ? 0.0 : std::copysign(std::pow(distance, -s), s);
  };
}

double cdnv(const Measured& m, double least_denominator) {
  const auto& [means, spread] = std::tie(m.moments.classes.means, m.moments.spread);
  return mean(over_pairs(m.classes(), [&](Eigen::Index a, Eigen::Index b) {
    const double squared = (means.col(a) - means.col(b)).squaredNorm();
    return (spread[a] + spread[b]) / (2 * std::max(squared, least_denominator));
  }));
}

double vci(const Measured& m) {
  const Matrix between = m.by_samples * m.by_samples.transpose() / static_cast<double>(m.classes());
  const Matrix total = m.moments.within + between;
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(total);
  const Eigen::VectorXd& values = solver.eigenvalues();
  const double cut =
      static_cast<double>(values.size()) * std::numeric_limits<double>::epsilon() * values[values.size() - 1];
  double trace = 0;
  for (Eigen::Index k = 0; k < values.size(); ++k)
    if (values[k] > cut)
      trace += solver.eigenvectors().col(k).dot(between * solver.eigenvectors().col(k)) / values[k];
  return 1 - trace / static_cast<double>(std::min(m.d(), m.classes() - 1));
}

double largest(const std::vector<double>& values) {
  double result = -std::numeric_limits<double>::infinity();
  for (const double value : values)
    if (!(value <= result)) result = value;  // a NaN stays
  return result;
}

double max_cosine(const Matrix& columns) { return largest(pair_cosines(columns, columns)); }

double max_abs_cosine(const Matrix& columns) {
  std::vector<double> cosines = pair_cosines(columns, columns);
  for (double& cosine : cosines) cosine = std::abs(cosine);
  return largest(cosines);
}

double welch_gap(const Matrix& columns) {
  const auto d = static_cast<double>(columns.rows()), classes = static_cast<double>(columns.cols());
  const double bound = classes > d ? std::sqrt((classes - d) / (d * (classes - 1))) : 0.0;
  return max_abs_cosine(columns) - bound;
}

double rankin_gap(const Matrix& columns) {
  const bool is_simplex = columns.cols() <= columns.rows() + 1;
  return max_cosine(columns) + (is_simplex ? 1 / static_cast<double>(columns.cols() - 1) : 0.0);
}

double tightness(const Matrix& columns) {
  const Matrix unit = unit_columns(columns);
  if (!unit.allFinite()) return kNaN;
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(Matrix(unit * unit.transpose()), Eigen::EigenvaluesOnly);
  return std::max(0.0, solver.eigenvalues()[0]) / solver.eigenvalues()[columns.rows() - 1];
}

/// Mean cosine of pairs of classifiers of minority classes: those with less than half the largest class.
double minority_cosine(const Measured& m) {
  const std::vector<std::int64_t>& counts = m.moments.classes.counts;
  const std::int64_t largest_count = *std::ranges::max_element(counts);
  std::vector<Eigen::Index> minority;
  for (std::size_t c = 0; c < counts.size(); ++c)
    if (2 * counts[c] < largest_count) minority.push_back(static_cast<Eigen::Index>(c));
  if (minority.size() < 2) return kNaN;
  const Matrix columns = m.classifier(Eigen::all, minority);
  return mean(pair_cosines(columns, columns));
}

struct Column {
  const char* source;
  const char* name;
  double (*value)(const Measured&);
  bool needs_unit = false;
};

const Matrix& means_of(const Measured& m) { return m.moments.classes.means; }
double over_classes(const Measured& m, double value) { return value / static_cast<double>(m.classes()); }
Matrix unit_centred(const Measured& m) { return m.unit->classes.means.colwise() - m.unit->sample_mean; }

const std::vector<Column>& all_columns() {
  using M = const Measured&;
  static const std::vector<Column> columns = {
      {"papyan", "nc1", [](M m) { return pinv_trace(m.moments.within, m.by_classes, m.classes() - 1); }},
      {"papyan", "equinorm_means", [](M m) { return norm_variation(m.by_classes, 1); }},
      {"papyan", "equinorm_classifier", [](M m) { return norm_variation(m.classifier, 1); }},
      {"papyan", "equiangular_means", [](M m) { return equiangularity(m.by_classes); }},
      {"papyan", "equiangular_classifier", [](M m) { return equiangularity(m.classifier); }},
      {"papyan", "self_duality",
       [](M m) { return std::pow(duality_distance(m.classifier, m.by_classes), 2); }},
      {"papyan", "nc4", [](M m) { return 1 - m.moments.agreement; }},

      {"zhu", "nc1", [](M m) { return over_classes(m, pinv_trace_of(m.moments, m.by_samples)); }},
      {"zhu", "etf_classifier", [](M m) { return etf_distance(m.classifier.transpose() * m.classifier); }},
      {"zhu", "self_duality", [](M m) { return etf_distance(m.classifier.transpose() * m.by_samples); }},
      {"zhu", "bias_collapse",
       [](M m) {
         const Eigen::VectorXd at_mean = m.classifier.transpose() * m.moments.sample_mean;
         return m.bias.size() > 0 ? (at_mean + m.bias).norm() : at_mean.norm();
       }},

      {"los", "nc1", [](M m) { return over_classes(m, pinv_trace_of(m.moments, m.by_samples)); }},
      {"los", "etf_classifier",
       [](M m) {
         const Matrix centred = centred_columns(m.classifier);
         return etf_distance(centred.transpose() * centred);
       }},
      {"los", "self_duality",
       [](M m) { return etf_distance(centred_columns(m.classifier).transpose() * m.by_samples); }},

      {"yaras", "nc1", [](M m) { return over_classes(m, pinv_trace_of(m.moments, m.by_samples)); }},
      {"yaras", "etf_classifier", [](M m) { return etf_distance(m.classifier.transpose() * m.classifier); }},
      {"yaras", "self_duality", [](M m) { return etf_distance(m.classifier.transpose() * means_of(m)); }},

      {"jiang", "gnc1", [](M m) { return over_classes(m, pinv_trace_of(*m.unit, unit_centred(m))); }, true},
      {"jiang", "gnc2", [](M m) { return one_vs_rest_distance(m.classifier); }},
      {"jiang", "max_cosine", [](M m) { return max_cosine(m.classifier); }},
      {"jiang", "gnc3",
       [](M m) {
         const Matrix products = unit_columns(unit_centred(m)).transpose() * unit_columns(m.classifier);
         return 1 - products.diagonal().mean();
       },
       true},
      {"jiang", "ncc_accuracy", [](M m) { return m.unit->nearest_mean_accuracy; }, true},

      {"wu", "nc1_pinv", [](M m) { return over_classes(m, pinv_trace_of(m.moments, m.by_classes)); }},
      {"wu", "nc1_svd",
       [](M m) { return over_classes(m, pinv_trace(m.moments.within, m.by_classes, m.classes() - 1)); }},
      {"wu", "nc1_quotient",
       [](M m) {
         return m.moments.within.trace() / (m.by_classes.squaredNorm() / static_cast<double>(m.classes()));
       }},
      {"wu", "etf_means", [](M m) { return etf_distance(m.by_classes.transpose() * m.by_classes); }},
      {"wu", "self_duality", [](M m) { return etf_distance(m.classifier.transpose() * m.by_classes); }},
      {"wu", "distance_mean", [](M m) { return mean(kernel_values(m, distance_kernel)); }},
      {"wu", "distance_variance", [](M m) { return variance(kernel_values(m, distance_kernel)); }},
      {"wu", "log_mean", [](M m) { return mean(kernel_values(m, log_kernel)); }},
      {"wu", "log_variance", [](M m) { return variance(kernel_values(m, log_kernel)); }},
      {"wu", "riesz_mean", [](M m) { return mean(kernel_values(m, riesz_kernel(m))); }},
      {"wu", "riesz_variance", [](M m) { return variance(kernel_values(m, riesz_kernel(m))); }},
      {"wu", "agreement", [](M m) { return m.moments.agreement_without_bias; }},

      {"galanti", "cdnv", [](M m) { return cdnv(m, 0); }},

      {"rangamani", "nc1", [](M m) { return over_classes(m, pinv_trace_of(m.moments, m.by_samples)); }},
      {"rangamani", "cdnv", [](M m) { return cdnv(m, 1e-15); }},
      {"rangamani", "ncc_accuracy", [](M m) { return m.moments.nearest_mean_accuracy; }},

      {"markou", "vci", vci},
      {"markou", "equinorm_means", [](M m) { return norm_variation(m.by_samples, 1); }},
      {"markou", "nc4", [](M m) { return 1 - m.moments.agreement; }},

      {"yan", "cosine_means_mean", [](M m) { return mean(pair_cosines(m.by_samples, m.by_samples)); }},
      {"yan", "cosine_means_deviation",
       [](M m) { return std::sqrt(variance(pair_cosines(m.by_samples, m.by_samples))); }},
      {"yan", "cosine_classifier_mean", [](M m) { return mean(pair_cosines(m.classifier, m.classifier)); }},
      {"yan", "cosine_classifier_deviation",
       [](M m) { return std::sqrt(variance(pair_cosines(m.classifier, m.classifier))); }},
      {"yan", "cosine_cross_mean", [](M m) { return mean(pair_cosines(m.by_samples, m.classifier)); }},
      {"yan", "cosine_cross_deviation",
       [](M m) { return std::sqrt(variance(pair_cosines(m.by_samples, m.classifier))); }},
      {"yan", "cosine_diagonal_mean",
       [](M m) {
         const Matrix products = unit_columns(m.by_samples).transpose() * unit_columns(m.classifier);
         return products.diagonal().mean();
       }},

      {"lpm", "equinorm_means", [](M m) { return norm_variation(m.by_samples, 0); }},
      {"lpm", "equiangular_means", [](M m) { return equiangularity(m.by_samples); }},
      {"lpm", "self_duality", [](M m) { return std::pow(duality_distance(m.classifier, m.by_samples), 2); }},
      {"lpm", "self_duality_root", [](M m) { return duality_distance(m.classifier, m.by_samples); }},
      {"lpm", "minority_cosine", minority_cosine},

      {"fsx", "equinorm_means", [](M m) { return norm_variation(m.by_samples, 0); }},
      {"fsx", "self_duality", [](M m) { return duality_distance(m.classifier, m.by_samples); }},
      {"fsx", "log_distance_cov",
       [](M m) {
         const std::vector<double> values = kernel_values(m, log_kernel);
         return std::sqrt(variance(values)) / mean(values);
       }},

      {"ntk", "etf_means", [](M m) { return etf_distance(m.by_samples.transpose() * m.by_samples); }},
      {"ntk", "self_duality", [](M m) { return duality_distance(m.classifier, m.by_samples); }},

      {"hug", "inverse_square_distance",
       [](M m) { return mean(kernel_values(m, [](double distance) { return 1 / (distance * distance); })); }},

      {"frame", "max_cosine_means", [](M m) { return max_cosine(means_of(m)); }},
      {"frame", "max_abs_cosine_means", [](M m) { return max_abs_cosine(means_of(m)); }},
      {"frame", "welch_gap_means", [](M m) { return welch_gap(means_of(m)); }},
      {"frame", "rankin_gap_means", [](M m) { return rankin_gap(means_of(m)); }},
      {"frame", "tightness_means", [](M m) { return tightness(means_of(m)); }},
      {"frame", "max_cosine_classifier", [](M m) { return max_cosine(m.classifier); }},
      {"frame", "max_abs_cosine_classifier", [](M m) { return max_abs_cosine(m.classifier); }},
      {"frame", "welch_gap_classifier", [](M m) { return welch_gap(m.classifier); }},
      {"frame", "rankin_gap_classifier", [](M m) { return rankin_gap(m.classifier); }},
      {"frame", "tightness_classifier", [](M m) { return tightness(m.classifier); }},
      {"frame", "feature_norm_mean", [](M m) { return m.moments.norm_mean; }},
      {"frame", "feature_norm_deviation", [](M m) { return m.moments.norm_deviation; }}};
  return columns;
}

}  // namespace

std::vector<std::string> Conventions::sources() {
  std::vector<std::string> names;
  for (const Column& column : all_columns())
    if (names.empty() || names.back() != column.source) names.emplace_back(column.source);
  return names;
}

Conventions::Conventions(std::span<const std::string> sources) {
  const std::vector<std::string> known = Conventions::sources();
  for (const std::string& source : sources) {
    if (std::ranges::find(known, source) == known.end())
      throw Error(unknown_name(source, "a source of metrics", known));
    for (std::size_t i = 0; i < all_columns().size(); ++i)
      if (all_columns()[i].source == source && std::ranges::find(columns_, i) == columns_.end())
        columns_.push_back(i);
  }
}

std::vector<std::string> Conventions::names() const {
  std::vector<std::string> names;
  for (const std::size_t i : columns_)
    names.push_back(std::string(all_columns()[i].source) + "_" + all_columns()[i].name);
  return names;
}

template <class Real>
std::vector<double> Conventions::measure(const BasicFeatureView<Real>& view, const Matrix& classifier,
                                         const Eigen::VectorXd& bias) const {
  if (columns_.empty()) return {};
  Measured m{.moments = measure_moments(view, classifier, bias, FeatureScale::kAsTheyAre),
             .unit = {},
             .classifier = classifier,
             .bias = bias,
             .by_samples = {},
             .by_classes = {}};
  if (std::ranges::any_of(columns_, [](std::size_t i) { return all_columns()[i].needs_unit; }))
    m.unit = measure_moments(view, classifier, bias, FeatureScale::kUnitNorm);
  m.by_samples = m.moments.classes.means.colwise() - m.moments.sample_mean;
  m.by_classes = m.moments.classes.means.colwise() - m.moments.classes.global_mean();
  std::vector<double> values;
  for (const std::size_t i : columns_) values.push_back(all_columns()[i].value(m));
  return values;
}

template std::vector<double> Conventions::measure(const BasicFeatureView<float>&, const Matrix&,
                                                  const Eigen::VectorXd&) const;
template std::vector<double> Conventions::measure(const BasicFeatureView<double>&, const Matrix&,
                                                  const Eigen::VectorXd&) const;

}  // namespace gnc
