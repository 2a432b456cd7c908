#include "engine/metrics/feature_moments.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "engine/metrics/column_products.h"

namespace gnc {
namespace {

// Rows that are worked on at a time; a chunk and its products stay in the second-level cache.
constexpr Eigen::Index kChunk = 64;
static_assert(kChunk % ColumnProducts::kRows == 0);

template <class Real>
Eigen::VectorXd sample_of(const BasicFeatureView<Real>& view, std::int64_t n, FeatureScale scale) {
  const Eigen::Map<const Eigen::VectorX<Real>> z(view.sample(n).data(), view.feature_dim);
  Eigen::VectorXd h = z.template cast<double>();
  const double norm = h.norm();
  if (scale == FeatureScale::kUnitNorm && norm > 0) h /= norm;
  return h;
}

/// class_means() of scaled samples.
template <class Real>
ClassMeans scaled_class_means(const BasicFeatureView<Real>& view, FeatureScale scale) {
  ClassMeans means = class_means(view);  // and all its checks
  if (scale == FeatureScale::kAsTheyAre) return means;
  means.means.setZero();
  for (std::int64_t n = 0; n < view.size(); ++n) means.means.col(view.label(n)) += sample_of(view, n, scale);
  for (int y = 0; y < view.num_classes; ++y)
    means.means.col(y) /= static_cast<double>(means.counts[static_cast<std::size_t>(y)]);
  return means;
}

template <class Row>
Eigen::Index index_of_largest(const Row& row, Eigen::Index count) {
  Eigen::Index best = 0;
  for (Eigen::Index c = 1; c < count; ++c)
    if (row[c] > row[best]) best = c;
  return best;
}

}  // namespace

template <class Real>
FeatureMoments measure_moments(const BasicFeatureView<Real>& view, const Eigen::MatrixXd& classifier,
                               const Eigen::VectorXd& bias, FeatureScale scale) {
  const Eigen::Index d = view.feature_dim, classes = view.num_classes;
  require<ShapeError>(classifier.rows() == d && classifier.cols() == classes,
                      "measure_moments: classifier [{},{}]; expected [{},{}]", classifier.rows(),
                      classifier.cols(), d, classes);
  require<ShapeError>(bias.size() == 0 || bias.size() == classes,
                      "measure_moments: {} biases; expected {} or none", bias.size(), classes);
  FeatureMoments moments;
  moments.classes = scaled_class_means(view, scale);
  const Eigen::MatrixXd& means = moments.classes.means;
  moments.sample_mean = Eigen::VectorXd::Zero(d);
  for (Eigen::Index c = 0; c < classes; ++c)
    moments.sample_mean +=
        static_cast<double>(moments.classes.counts[static_cast<std::size_t>(c)]) * means.col(c);
  const auto samples = static_cast<double>(view.size());
  moments.sample_mean /= samples;

  // About the mean of the class means, where the products are smallest.
  const Eigen::VectorXd centre = moments.classes.global_mean();
  const Eigen::MatrixXd centred = means.colwise() - centre;
  const Eigen::RowVectorXd half_squared_norms = 0.5 * centred.colwise().squaredNorm();
  const ColumnProducts logits_of(classifier), nearness_of(centred);
  moments.within = Eigen::MatrixXd::Zero(d, d);
  moments.spread = Eigen::VectorXd::Zero(classes);
  RowMajorMatrix raw = RowMajorMatrix::Zero(kChunk, d), about = raw, logits, nearness;
  Eigen::MatrixXd deviations = Eigen::MatrixXd::Zero(d, kChunk);
  std::int64_t right = 0, agreeing = 0, agreeing_without_bias = 0;
  double norms = 0, squared_norms = 0;
  for (std::int64_t first = 0; first < view.size(); first += kChunk) {
    const Eigen::Index count = std::min<std::int64_t>(kChunk, view.size() - first);
    if (count < kChunk) deviations.setZero();
    for (Eigen::Index i = 0; i < count; ++i) {
      const Eigen::VectorXd h = sample_of(view, first + i, scale);
      raw.row(i) = h.transpose();
      about.row(i) = (h - centre).transpose();
      deviations.col(i) = h - means.col(view.label(first + i));
      moments.spread[view.label(first + i)] += deviations.col(i).squaredNorm();
      const Eigen::Map<const Eigen::VectorX<Real>> z(view.sample(first + i).data(), d);
      const double norm = z.template cast<double>().norm();
      norms += norm;
      squared_norms += norm * norm;
    }
    moments.within.template selfadjointView<Eigen::Lower>().rankUpdate(deviations);
    logits_of.multiply(raw, logits);
    nearness_of.multiply(about, nearness);
    for (Eigen::Index i = 0; i < count; ++i) {
      nearness.row(i).head(classes) -= half_squared_norms;
      const Eigen::Index nearest = index_of_largest(nearness.row(i), classes);
      right += nearest == view.label(first + i) ? 1 : 0;
      agreeing_without_bias += nearest == index_of_largest(logits.row(i), classes) ? 1 : 0;
      if (bias.size() > 0) logits.row(i).head(classes) += bias.transpose();
      agreeing += nearest == index_of_largest(logits.row(i), classes) ? 1 : 0;
    }
  }
  moments.within = Eigen::MatrixXd(moments.within.template selfadjointView<Eigen::Lower>()) / samples;
  for (Eigen::Index c = 0; c < classes; ++c)
    moments.spread[c] /= static_cast<double>(moments.classes.counts[static_cast<std::size_t>(c)]);
  moments.norm_mean = norms / samples;
  moments.norm_deviation =
      std::sqrt(std::max(0.0, squared_norms / samples - moments.norm_mean * moments.norm_mean));
  moments.nearest_mean_accuracy = static_cast<double>(right) / samples;
  moments.agreement = static_cast<double>(agreeing) / samples;
  moments.agreement_without_bias = static_cast<double>(agreeing_without_bias) / samples;
  return moments;
}

template FeatureMoments measure_moments(const BasicFeatureView<float>&, const Eigen::MatrixXd&,
                                        const Eigen::VectorXd&, FeatureScale);
template FeatureMoments measure_moments(const BasicFeatureView<double>&, const Eigen::MatrixXd&,
                                        const Eigen::VectorXd&, FeatureScale);

}  // namespace gnc
