#include "engine/metrics/features.h"

#include <cmath>

#include "engine/error.h"

namespace gnc {
namespace {

template <class Real>
[[noreturn]] void report_feature_that_is_not_finite(const BasicFeatureView<Real>& view) {
  for (std::int64_t n = 0; n < view.size(); ++n) {
    const std::span<const Real> z = view.sample(n);
    for (int k = 0; k < view.feature_dim; ++k) {
      require(std::isfinite(z[static_cast<std::size_t>(k)]),
              "features: component {} of sample {} (class {}) is {}; expected a finite number", k, n,
              view.label(n), z[static_cast<std::size_t>(k)]);
    }
  }
  throw Error("features: the class means overflow");
}

}  // namespace

template <class Real>
void BasicFeatureView<Real>::check() const {
  require<ShapeError>(feature_dim >= 1, "features: dimension is {}; expected at least 1", feature_dim);
  require<ShapeError>(num_classes >= 2, "features: {} classes; expected at least 2", num_classes);
  require<ShapeError>(static_cast<std::int64_t>(features.size()) == size() * feature_dim,
                      "features: {} numbers for {} labels and dimension {}; expected {}", features.size(),
                      size(), feature_dim, size() * feature_dim);
  for (std::int64_t n = 0; n < size(); ++n) {
    require(label(n) >= 0 && label(n) < num_classes, "features: label of sample {} is {}; expected 0 to {}",
            n, label(n), num_classes - 1);
  }
}

template <class Real>
ClassMeans class_means(const BasicFeatureView<Real>& view) {
  view.check();
  ClassMeans result{.means = Eigen::MatrixXd::Zero(view.feature_dim, view.num_classes),
                    .counts = std::vector<std::int64_t>(static_cast<std::size_t>(view.num_classes), 0)};
  for (std::int64_t n = 0; n < view.size(); ++n) {
    const Eigen::Map<const Eigen::VectorX<Real>> z(view.sample(n).data(), view.feature_dim);
    result.means.col(view.label(n)) += z.template cast<double>();
    ++result.counts[static_cast<std::size_t>(view.label(n))];
  }
  for (int y = 0; y < view.num_classes; ++y) {
    const std::int64_t count = result.counts[static_cast<std::size_t>(y)];
    require(count > 0, "features: class {} has none of the {} samples; the collapse metrics need every class",
            y, view.size());
    result.means.col(y) /= static_cast<double>(count);
  }
  // A NaN or an infinity stays in the sum, so looking at the means is enough to find any. (A sum of finite
  // floats cannot overflow in double.)
  if (!result.means.allFinite()) report_feature_that_is_not_finite(view);
  return result;
}

template struct BasicFeatureView<float>;
template struct BasicFeatureView<double>;
template ClassMeans class_means(const BasicFeatureView<float>&);
template ClassMeans class_means(const BasicFeatureView<double>&);

}  // namespace gnc
