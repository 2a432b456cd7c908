#include "engine/metrics/decisions.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/metrics/column_products.h"

namespace gnc {
namespace {

constexpr Eigen::Index kChunk = 64;
static_assert(kChunk % ColumnProducts::kRows == 0);

/// The first class with the largest score. `score(y)` for y in [0,C).
template <class Score>
int first_largest(int classes, Score&& score) {
  int best = 0;
  double largest = score(0);
  for (int y = 1; y < classes; ++y) {
    const double value = score(y);
    if (!(value > largest)) continue;
    best = y;
    largest = value;
  }
  return best;
}

/// The nearest of the class means, for a chunk of samples.
class NearestMeans {
 public:
  explicit NearestMeans(const Moments& moments)
      : centre_(moments.class_mean),
        means_(moments.means.colwise() - moments.class_mean),
        half_squares_(0.5 * means_.colwise().squaredNorm().transpose()),
        products_of_(means_) {
    centred_.setZero(kChunk, means_.rows());
  }

  /// Puts sample n of the chunk there. About the centre the terms of ‖h − μ‖² that cancel are smallest.
  void put(Eigen::Index n, const Eigen::VectorXd& sample) { centred_.row(n).transpose() = sample - centre_; }
  void multiply() { products_of_.multiply(centred_, products_); }
  /// argmin ‖h − μ_c‖² = argmax <h − m, μ_c − m> − ½‖μ_c − m‖², m the centre.
  int nearest(Eigen::Index n) const {
    return first_largest(static_cast<int>(means_.cols()),
                         [&](int y) { return products_(n, y) - half_squares_[y]; });
  }

 private:
  Eigen::VectorXd centre_;
  Eigen::MatrixXd means_;
  Eigen::VectorXd half_squares_;
  ColumnProducts products_of_;
  RowMajorMatrix centred_, products_;
};

}  // namespace

template <class Real>
Decisions count_decisions(const BasicFeatureView<Real>& view, const FeatureMoments& moments,
                          const LinearClassifier& classifier, const DecisionNeeds& needs) {
  require(!needs.normalised || moments.normalised.has_value(),
          "count_decisions: normalised decisions need the moments of normalised features");
  const int classes = view.num_classes;
  const std::vector<std::int64_t> none(static_cast<std::size_t>(classes), 0);
  Decisions decisions{.agreements = none,
                      .agreements_unbiased = none,
                      .nearest_hits = none,
                      .normalised_hits = none,
                      .concentration = Eigen::VectorXd::Zero(classes)};
  const bool has_raw = needs.agreement || needs.nearest;
  if (!has_raw && !needs.normalised) return decisions;

  const Eigen::VectorXd bias = classifier.bias.size() == 0 ? Eigen::VectorXd::Zero(classes) : classifier.bias;
  Eigen::MatrixXd unit = classifier.weights;
  for (Eigen::Index y = 0; y < unit.cols(); ++y) unit.col(y) /= unit.col(y).norm();
  const ColumnProducts logits_of(classifier.weights);
  NearestMeans raw(moments.raw);
  NearestMeans normalised(needs.normalised ? *moments.normalised : moments.raw);
  RowMajorMatrix samples = RowMajorMatrix::Zero(kChunk, view.feature_dim);
  RowMajorMatrix logits;
  Eigen::VectorXd sample(view.feature_dim);
  for (std::int64_t first = 0; first < view.size(); first += kChunk) {
    const Eigen::Index count = std::min<std::int64_t>(kChunk, view.size() - first);
    for (Eigen::Index n = 0; n < count; ++n) {
      const int y = view.label(first + n);
      sample = Eigen::Map<const Eigen::VectorX<Real>>(view.sample(first + n).data(), view.feature_dim)
                   .template cast<double>();
      samples.row(n) = sample.transpose();
      raw.put(n, sample);
      if (!needs.normalised) continue;
      sample /= std::max(sample.norm(), kLeastNorm);
      normalised.put(n, sample);
      decisions.concentration[y] += (sample - unit.col(y)).norm();
    }
    if (needs.agreement) logits_of.multiply(samples, logits);
    if (has_raw) raw.multiply();
    if (needs.normalised) normalised.multiply();
    for (Eigen::Index n = 0; n < count; ++n) {
      const auto y = static_cast<std::size_t>(view.label(first + n));
      const int label = view.label(first + n);
      if (has_raw) {
        const int nearest = raw.nearest(n);
        decisions.nearest_hits[y] += nearest == label ? 1 : 0;
        if (needs.agreement) {
          const int biased = first_largest(classes, [&](int c) { return logits(n, c) + bias[c]; });
          const int unbiased = first_largest(classes, [&](int c) { return logits(n, c); });
          decisions.agreements[y] += biased == nearest ? 1 : 0;
          decisions.agreements_unbiased[y] += unbiased == nearest ? 1 : 0;
        }
      }
      if (needs.normalised) decisions.normalised_hits[y] += normalised.nearest(n) == label ? 1 : 0;
    }
  }
  for (int y = 0; y < classes; ++y) {
    decisions.concentration[y] /= static_cast<double>(moments.raw.counts[static_cast<std::size_t>(y)]);
  }
  return decisions;
}

template Decisions count_decisions(const BasicFeatureView<float>&, const FeatureMoments&,
                                   const LinearClassifier&, const DecisionNeeds&);
template Decisions count_decisions(const BasicFeatureView<double>&, const FeatureMoments&,
                                   const LinearClassifier&, const DecisionNeeds&);

}  // namespace gnc
