#include "engine/metrics/margin_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"

namespace gnc {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double MarginBound::total() const {
  return unseparated_pairs > 0 ? kNaN : rademacher + logarithm + probability;
}

MarginBound margin_bound(const CollapseReport& report, const Eigen::MatrixXd& classifier, double delta) {
  require(delta > 0 && delta < 1, "margin bound: delta is {}; expected a number in (0,1)", delta);
  const Eigen::Index classes = report.margins.cols();
  require(classifier.cols() == classes && classes >= 2,
          "margin bound: a classifier of {} classes and margins of {}; expected as many, at least 2",
          classifier.cols(), classes);
  double largest_difference = 0;  // Λ = max ‖M_i − M_j‖
  double samples = 0;
  for (Eigen::Index i = 0; i < classes; ++i) {
    samples += static_cast<double>(report.counts[static_cast<std::size_t>(i)]);
    for (Eigen::Index j = 0; j < i; ++j)
      largest_difference = std::max(largest_difference, (classifier.col(i) - classifier.col(j)).norm());
  }
  const std::int64_t most = *std::ranges::max_element(report.counts);
  const auto is_minority = [&](Eigen::Index i) {
    return 2 * report.counts[static_cast<std::size_t>(i)] < most;
  };

  MarginBound bound;
  double minority_pairs = 0;
  bound.smallest_minority_margin = std::numeric_limits<double>::infinity();
  for (Eigen::Index i = 0; i < classes; ++i) {
    const auto count = static_cast<double>(report.counts[static_cast<std::size_t>(i)]);
    const double rademacher = largest_difference * std::sqrt(report.squared_norms[i]) / count;
    const double share = count / samples;
    for (Eigen::Index j = 0; j < classes; ++j) {
      if (i == j) continue;
      bound.probability +=
          share * std::sqrt(std::log(static_cast<double>(classes * (classes - 1)) / delta) / (2 * count));
      const double margin = report.margins(i, j);
      const bool is_minority_pair = is_minority(i) && is_minority(j);
      if (is_minority_pair) {
        bound.smallest_minority_margin = std::min(bound.smallest_minority_margin, margin);
        bound.minority_cosine += classifier.col(i).normalized().dot(classifier.col(j).normalized());
        ++minority_pairs;
      }
      if (!(margin > 0)) {
        ++bound.unseparated_pairs;
        continue;
      }
      const double first = share * rademacher / margin;
      const double second =
          share * std::sqrt(std::log(std::log2(4 * report.largest_margin / margin)) / count);
      bound.rademacher += first;
      bound.logarithm += second;
      if (is_minority_pair) bound.minority += first + second;
    }
  }
  bound.minority_cosine /= minority_pairs;  // 0/0 is NaN
  if (minority_pairs == 0) bound.smallest_minority_margin = kNaN;
  return bound;
}

double margin_scale(const CollapseReport& report, const Eigen::MatrixXd& classifier) {
  const Eigen::Index classes = classifier.cols();
  const Eigen::MatrixXd gram = classifier.transpose() * classifier;
  double products = 0, squares = 0;
  for (Eigen::Index i = 0; i < classes; ++i)
    for (Eigen::Index j = 0; j < classes; ++j) {
      const double expected = gram(i, i) - gram(i, j);
      products += report.margins(i, j) * expected;
      squares += expected * expected;
    }
  return std::max(0.0, products / squares);
}

double margin_lemma_residual(const CollapseReport& report, const Eigen::MatrixXd& classifier) {
  const double factor = margin_scale(report, classifier);
  if (!(factor > 0)) return kNaN;
  const Eigen::Index classes = classifier.cols();
  const Eigen::MatrixXd gram = classifier.transpose() * classifier;
  double largest = 0;
  for (Eigen::Index i = 0; i < classes; ++i)
    for (Eigen::Index j = 0; j < classes; ++j)
      if (i != j)
        largest = std::max(largest, std::abs(report.margins(i, j) - factor * (gram(i, i) - gram(i, j))));
  return largest / (factor * gram.diagonal().maxCoeff());
}

std::vector<std::pair<std::string, double>> margin_columns(const CollapseReport& report,
                                                           const Eigen::MatrixXd& classifier) {
  const MarginBound bound = margin_bound(report, classifier);
  return {{"margin_bound", bound.total()},
          {"margin_bound_rademacher", bound.rademacher},
          {"margin_bound_logarithm", bound.logarithm},
          {"margin_bound_probability", bound.probability},
          {"margin_bound_minority", bound.minority},
          {"unseparated_pairs", static_cast<double>(bound.unseparated_pairs)},
          {"smallest_minority_margin", bound.smallest_minority_margin},
          {"minority_cosine", bound.minority_cosine},
          {"margin_lemma_residual", margin_lemma_residual(report, classifier)}};
}

std::vector<std::string> margin_column_names() {
  CollapseReport report;
  report.margins = Eigen::MatrixXd::Zero(2, 2);
  report.squared_norms = Eigen::VectorXd::Zero(2);
  report.counts = {1, 1};
  std::vector<std::string> names;
  for (auto& [name, value] : margin_columns(report, Eigen::MatrixXd::Identity(2, 2)))
    names.push_back(std::move(name));
  return names;
}

}  // namespace gnc
