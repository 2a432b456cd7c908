#include "engine/metrics/layer_collapse.h"

#include "engine/error.h"
#include "engine/metrics/convention_forms.h"
#include "engine/metrics/feature_moments.h"

namespace gnc {

double nearest_mean_accuracy(const FeatureView& view, const Eigen::MatrixXd& means) {
  view.check();
  require<ShapeError>(means.rows() == view.feature_dim && means.cols() == view.num_classes,
                      "nearest_mean_accuracy: means are {}x{}, samples have {} values and {} classes",
                      means.rows(), means.cols(), view.feature_dim, view.num_classes);
  std::int64_t hits = 0;
  for (std::int64_t n = 0; n < view.size(); ++n) {
    const Eigen::VectorXd sample =
        Eigen::Map<const Eigen::VectorXf>(view.sample(n).data(), view.feature_dim).cast<double>();
    Eigen::Index nearest = 0;
    (means.colwise() - sample).colwise().squaredNorm().minCoeff(&nearest);
    hits += nearest == view.label(n) ? 1 : 0;
  }
  return static_cast<double>(hits) / static_cast<double>(view.size());
}

LayerCollapse measure_layer(const FeatureView& train) {
  const Moments moments = feature_moments(train, {.raw = WithinCovariance::kBetweenClasses}).raw;
  const Eigen::MatrixXd centred = moments.means.colwise() - moments.class_mean;
  const double classes = train.num_classes;
  // Tr S_W = Σ_c N_c v_c / N; the sum of the variances weighs every class by its samples.
  double within = 0;
  const Eigen::VectorXd variances = moments.class_variances();
  for (int y = 0; y < train.num_classes; ++y)
    within += static_cast<double>(moments.counts[static_cast<std::size_t>(y)]) * variances[y];
  within /= static_cast<double>(train.size());
  const Spread norms = spread(centred.colwise().norm().transpose());
  return {.within_between_pinv = within_over_between(moments, moments.class_mean) / classes,
          .within_between_quotient = within / (centred.squaredNorm() / classes),
          .cdnv = pair_variances(moments.means, variances).mean(),
          .equinorm = norms.biased / norms.mean,
          .equiangular = equiangularity(centred),
          .max_cosine_means = pair_cosines(moments.means).maxCoeff(),
          .nearest_mean_accuracy = nearest_mean_accuracy(train, moments.means),
          .class_means = moments.means};
}

std::vector<std::pair<std::string, double>> columns(const LayerCollapse& layer) {
  return {{"within_between_pinv", layer.within_between_pinv},
          {"within_between_quotient", layer.within_between_quotient},
          {"cdnv", layer.cdnv},
          {"equinorm", layer.equinorm},
          {"equiangular", layer.equiangular},
          {"max_cosine_means", layer.max_cosine_means},
          {"nearest_mean_accuracy", layer.nearest_mean_accuracy},
          {"test_nearest_mean_accuracy", layer.test_nearest_mean_accuracy}};
}

std::vector<std::string> layer_column_names() {
  std::vector<std::string> names;
  for (const auto& [name, value] : columns(LayerCollapse{})) names.push_back(name);
  return names;
}

}  // namespace gnc
