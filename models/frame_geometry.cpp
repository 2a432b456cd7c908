#include "models/frame_geometry.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gnc {

Eigen::MatrixXd directions(const Frame& frame) { return with_norm(frame, 1.0).vectors; }

FrameGeometry measure_frame(const Frame& frame) {
  constexpr double kSame = 1e-9;
  const Eigen::MatrixXd unit = directions(frame);
  const Eigen::MatrixXd gram = unit.transpose() * unit;
  FrameGeometry geometry;
  geometry.max_inner_product = -std::numeric_limits<double>::infinity();
  for (Eigen::Index j = 1; j < gram.cols(); ++j) {
    const auto above = gram.col(j).head(j);
    geometry.max_inner_product = std::max(geometry.max_inner_product, above.maxCoeff());
    geometry.max_abs_inner_product = std::max(geometry.max_abs_inner_product, above.cwiseAbs().maxCoeff());
  }
  for (Eigen::Index j = 1; j < gram.cols(); ++j) {
    const auto above = gram.col(j).head(j).array();
    geometry.pairs_at_maximum += static_cast<int>((above >= geometry.max_inner_product - kSame).count());
    geometry.pairs_at_abs_maximum +=
        static_cast<int>((above.abs() >= geometry.max_abs_inner_product - kSame).count());
  }
  geometry.min_norm = std::numeric_limits<double>::infinity();
  for (Eigen::Index y = 0; y < unit.cols(); ++y) {
    const double norm = frame.vectors.col(y).stableNorm();
    geometry.min_norm = std::min(geometry.min_norm, norm);
    geometry.max_norm = std::max(geometry.max_norm, norm);
  }
  geometry.uniformity = geometry.min_norm / geometry.max_norm;
  geometry.mean_norm = unit.rowwise().mean().norm();

  const Eigen::VectorXd singular = unit.bdcSvd().singularValues();
  const double extent = static_cast<double>(std::max(unit.rows(), unit.cols()));
  const double threshold = extent * std::numeric_limits<double>::epsilon() * singular[0];
  geometry.rank = static_cast<int>((singular.array() > threshold).count());
  const double smallest = unit.rows() <= unit.cols() ? singular[singular.size() - 1] : 0.0;
  geometry.tightness = geometry.rank < frame.dim() ? 0.0 : std::pow(smallest / singular[0], 2);
  for (const double value : singular) geometry.gram_spectrum.push_back(value * value);
  return geometry;
}

double correlation(const FrameGeometry& geometry, FrameObjective objective) {
  return objective == FrameObjective::kSigned ? geometry.max_inner_product : geometry.max_abs_inner_product;
}

}  // namespace gnc
