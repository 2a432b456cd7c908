#include "models/frame_geometry.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gnc {
namespace {

constexpr double kSame = 1e-9;

}  // namespace

Eigen::MatrixXd directions(const Frame& frame) { return with_norm(frame, 1.0).vectors; }

void for_each_gram_range(
    const Eigen::MatrixXd& unit,
    const std::function<void(Eigen::Index first, const Eigen::MatrixXd& products)>& visit) {
  constexpr Eigen::Index kRange = 1024;
  Eigen::MatrixXd products;
  for (Eigen::Index first = 0; first < unit.cols(); first += kRange) {
    products.noalias() = unit.transpose() * unit.middleCols(first, std::min(kRange, unit.cols() - first));
    visit(first, products);
  }
}

FrameGeometry measure_frame(const Frame& frame) {
  const Eigen::MatrixXd unit = directions(frame);
  FrameGeometry geometry;
  geometry.max_inner_product = -std::numeric_limits<double>::infinity();
  geometry.min_abs_inner_product = std::numeric_limits<double>::infinity();
  // Entries above the diagonal, twice: the counts need the maxima.
  for_each_gram_range(unit, [&](Eigen::Index first, const Eigen::MatrixXd& products) {
    for (Eigen::Index j = first == 0 ? 1 : 0; j < products.cols(); ++j) {
      const auto above = products.col(j).head(first + j);
      geometry.max_inner_product = std::max(geometry.max_inner_product, above.maxCoeff());
      geometry.max_abs_inner_product = std::max(geometry.max_abs_inner_product, above.cwiseAbs().maxCoeff());
      geometry.min_abs_inner_product = std::min(geometry.min_abs_inner_product, above.cwiseAbs().minCoeff());
    }
  });
  for_each_gram_range(unit, [&](Eigen::Index first, const Eigen::MatrixXd& products) {
    for (Eigen::Index j = 0; j < products.cols(); ++j) {
      const auto above = products.col(j).head(first + j).array();
      geometry.pairs_at_maximum += (above >= geometry.max_inner_product - kSame).count();
      geometry.pairs_at_abs_maximum += (above.abs() >= geometry.max_abs_inner_product - kSame).count();
    }
  });
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

bool is_uniform(const FrameGeometry& geometry) { return geometry.uniformity >= 1.0 - kSame; }

bool is_tight(const FrameGeometry& geometry) { return geometry.tightness >= 1.0 - kSame; }

bool is_equiangular(const FrameGeometry& geometry) {
  return geometry.max_abs_inner_product - geometry.min_abs_inner_product <= kSame;
}

double correlation(const FrameGeometry& geometry, FrameObjective objective) {
  return objective == FrameObjective::kSigned ? geometry.max_inner_product : geometry.max_abs_inner_product;
}

}  // namespace gnc
