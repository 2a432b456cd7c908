#include "engine/metrics/covering_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"
#include "engine/metrics/margin_bound.h"
#include "engine/modules/lipschitz.h"

namespace gnc {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// The larger one; NaN where one of them is.
double larger(double a, double b) { return std::isnan(b) || b > a ? b : a; }

/// max ‖f(x) − f(x')‖/‖x − x'‖ over pairs of one class.
double steepest_secant(const CoveringInputs& inputs, int label) {
  const Eigen::MatrixXd features = rows_of_class(inputs.features, inputs.labels, label);
  const Eigen::MatrixXd& distances = inputs.supports[static_cast<std::size_t>(label)].distances;
  require<ShapeError>(features.rows() == distances.rows(),
                      "covering_bound: {} features of class {}, whose support is of {} pictures",
                      features.rows(), label, distances.rows());
  double steepest = 0;
  for (Eigen::Index j = 0; j < distances.cols(); ++j)
    for (Eigen::Index i = 0; i < j; ++i)
      if (distances(i, j) > 0)
        steepest = larger(steepest, (features.row(i) - features.row(j)).norm() / distances(i, j));
  return steepest;
}

/// Whether every margin is above 0.
bool are_separated(const Eigen::MatrixXd& margins) {
  for (Eigen::Index i = 0; i < margins.rows(); ++i)
    for (Eigen::Index j = 0; j < margins.cols(); ++j)
      if (i != j && !(margins(i, j) > 0)) return false;
  return true;
}

/// min_j of margin_ij/‖M_i − M_j‖: ε_i times L.
double scaled_radius(const Eigen::MatrixXd& margins, const Eigen::MatrixXd& classifier, Eigen::Index i) {
  double least = std::numeric_limits<double>::infinity();
  for (Eigen::Index j = 0; j < classifier.cols(); ++j)
    if (j != i) least = std::min(least, margins(i, j) / (classifier.col(i) - classifier.col(j)).norm());
  return least;
}

/// log10 Σ 10^{x_i}, without overflow.
double log10_sum(const Eigen::VectorXd& logarithms) {
  const double largest = logarithms.maxCoeff();
  if (std::isinf(largest)) return largest;
  double sum = 0;
  for (const double logarithm : logarithms) sum += std::pow(10, logarithm - largest);
  return largest + std::log10(sum);
}

double total(const CollapseReport& collapse) {
  double sum = 0;
  for (const std::int64_t count : collapse.counts) sum += static_cast<double>(count);
  return sum;
}

/// Σ_i p(i) Σ_{j≠i} ℜ_{N_i}/γ_ij by the layers' norms.
double rademacher_term(const CoveringInputs& inputs) {
  const Eigen::MatrixXd& classifier = inputs.classifier;
  const CollapseReport& collapse = inputs.collapse;
  double functional = 0, sum = 0;
  for (Eigen::Index i = 0; i < classifier.cols(); ++i)
    for (Eigen::Index j = 0; j < i; ++j)
      functional = std::max(functional, (classifier.col(i) - classifier.col(j)).norm());
  for (Eigen::Index i = 0; i < classifier.cols(); ++i) {
    const auto count = static_cast<double>(collapse.counts[static_cast<std::size_t>(i)]);
    const ClassSupport& seen = inputs.supports[static_cast<std::size_t>(i)];
    const double rademacher =
        spectral_rademacher(inputs.norms, {.functional = functional,
                                           .data_norm = std::sqrt(count * seen.mean_square),
                                           .samples = count,
                                           .largest_norm = std::sqrt(seen.largest_square),
                                           .input_values = static_cast<double>(seen.values)});
    for (Eigen::Index j = 0; j < classifier.cols(); ++j)
      if (j != i) sum += count / total(collapse) * rademacher / collapse.margins(i, j);
  }
  return sum;
}

void check(const CoveringInputs& inputs) {
  const std::size_t samples = inputs.labels.size();
  const auto dim = static_cast<std::size_t>(inputs.classifier.rows());
  const auto classes = static_cast<std::size_t>(inputs.classifier.cols());
  require<ShapeError>(
      samples > 0 && inputs.features.size() == samples * dim && inputs.supports.size() == classes &&
          inputs.collapse.margins.cols() == inputs.classifier.cols(),
      "covering_bound: {} labels, {} feature values, {} supports, a classifier of {}x{} and "
      "margins of {} classes do not fit together",
      samples, inputs.features.size(), inputs.supports.size(), dim, classes, inputs.collapse.margins.cols());
}

/// The bounds themselves, where every pair of classes is separated: `scaled` [C] has ε_i·L.
void add_errors(const CoveringInputs& inputs, const Eigen::VectorXd& scaled, CoveringBound& bound) {
  const Eigen::Index classes = scaled.size();
  const double samples = total(inputs.collapse);
  const double seen = std::max(bound.lipschitz_secant, inputs.steepest_gradient);
  const Eigen::MatrixXd gram = inputs.classifier.transpose() * inputs.classifier;
  // Lemma 3.7's margins, those of collapsed features.
  const Eigen::MatrixXd collapsed =
      margin_scale(inputs.collapse, inputs.classifier) * ((-gram).colwise() + gram.diagonal());
  Eigen::VectorXd below(classes), above(classes), printed(classes);
  bound.radius = scaled.mean() / seen;
  for (Eigen::Index i = 0; i < classes; ++i) {
    const ClassSupport& support = inputs.supports[static_cast<std::size_t>(i)];
    const auto log10_number = [&](double radius) {
      return log10_covering_number(support.net, support.dimension, radius);
    };
    below[i] = log10_number(scaled[i] / seen);
    above[i] = log10_number(scaled[i] / bound.lipschitz_norms);
    printed[i] = log10_number(scaled_radius(collapsed, inputs.classifier, i) / seen);
    const auto count = static_cast<double>(inputs.collapse.counts[static_cast<std::size_t>(i)]);
    if (std::log10(count) > below[i]) ++bound.classes_sampled_enough;
    // The share of the pictures looked at stands for that of all.
    const double share = static_cast<double>(support.net.size(scaled[i] / seen)) /
                         static_cast<double>(support.net.radii().size());
    bound.error_net += share * count / (2 * samples);
  }
  // p(i)/(2N_i) = 1/(2N) for every class.
  bound.log10_error = log10_sum(below) - std::log10(2 * samples);
  bound.log10_error_norms = log10_sum(above) - std::log10(2 * samples);
  bound.log10_error_collapsed = log10_sum(printed) - std::log10(2 * samples);
}

}  // namespace

double spectral_rademacher(const LipschitzBound& norms, const SpectralInputs& inputs) {
  // The last layer is vᵀ, whose norm and row sum are |v|: all that is before it stretches by the constant.
  double sum = std::cbrt(std::pow(norms.constant, 2)), widest = inputs.input_values;
  for (const LayerNorms& layer : norms.layers) {
    sum += std::cbrt(std::pow(layer.row_sum * layer.sensitivity, 2));
    widest = std::max(widest, static_cast<double>(layer.rows));
  }
  const double n = inputs.samples;
  const double root =
      inputs.functional * inputs.data_norm * std::sqrt(std::log(2 * widest * widest)) * std::pow(sum, 1.5);
  const double largest_value = inputs.functional * norms.constant * inputs.largest_norm;
  return 4 * largest_value / std::pow(n, 1.5) + 18 * std::log(n) * root / n;
}

CoveringBound covering_bound(const CoveringInputs& inputs) {
  check(inputs);
  const Eigen::Index classes = inputs.classifier.cols();
  CoveringBound bound{.lipschitz_gradient = inputs.steepest_gradient > 0 ? inputs.steepest_gradient : kNaN,
                      .lipschitz_norms = inputs.norms.constant};
  Eigen::VectorXd scaled(classes);
  for (Eigen::Index i = 0; i < classes; ++i) {
    const ClassSupport& support = inputs.supports[static_cast<std::size_t>(i)];
    bound.lipschitz_secant = larger(bound.lipschitz_secant, steepest_secant(inputs, static_cast<int>(i)));
    bound.intrinsic_dimension += support.dimension / static_cast<double>(classes);
    scaled[i] = scaled_radius(inputs.collapse.margins, inputs.classifier, i);
  }
  if (!are_separated(inputs.collapse.margins)) {
    bound.radius = bound.error_net = bound.log10_error = kNaN;
    bound.log10_error_norms = bound.log10_error_collapsed = bound.rademacher_spectral = kNaN;
    return bound;
  }
  add_errors(inputs, scaled, bound);
  bound.rademacher_spectral = rademacher_term(inputs);
  return bound;
}

std::vector<std::pair<std::string, double>> columns(const CoveringBound& bound) {
  return {{"lipschitz_secant", bound.lipschitz_secant},
          {"lipschitz_gradient", bound.lipschitz_gradient},
          {"lipschitz_norms", bound.lipschitz_norms},
          {"intrinsic_dimension", bound.intrinsic_dimension},
          {"covering_radius", bound.radius},
          {"covering_error_net", bound.error_net},
          {"covering_classes_sampled_enough", static_cast<double>(bound.classes_sampled_enough)},
          {"covering_log10_error", bound.log10_error},
          {"covering_log10_error_norms", bound.log10_error_norms},
          {"covering_log10_error_collapsed", bound.log10_error_collapsed},
          {"margin_bound_rademacher_spectral", bound.rademacher_spectral}};
}

std::vector<std::string> covering_column_names() {
  std::vector<std::string> names;
  for (auto& [name, value] : columns(CoveringBound{})) names.push_back(std::move(name));
  return names;
}

}  // namespace gnc
