#include "engine/metrics/feature_moments.h"

#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "engine/metrics/column_products.h"

namespace gnc {
namespace {

// Samples whose deviations are summed at a time: with 64 dimensions they fill the first-level cache.
constexpr Eigen::Index kChunk = 64;
constexpr Eigen::Index kTileRows = 4;
constexpr Eigen::Index kTileColumns = ColumnProducts::kWidth;
static_assert(kChunk % ColumnProducts::kRows == 0);

Eigen::Index rounded_up(Eigen::Index extent) {
  return (extent + kTileColumns - 1) / kTileColumns * kTileColumns;
}

/// sums += vectorsᵀ·vectors on and above the diagonal, in tiles; every entry is summed over the rows in their
/// order. `vectors` [n, K], K a multiple of kTileColumns.
void add_outer_products(const RowMajorMatrix& vectors, RowMajorMatrix& sums) {
  using Tile = Eigen::Array<double, kTileColumns, 1>;
  const Eigen::Index width = vectors.cols();
  for (Eigen::Index i = 0; i < width; i += kTileRows) {
    for (Eigen::Index j = i / kTileColumns * kTileColumns; j < width; j += kTileColumns) {
      Tile tile[kTileRows];
      for (Eigen::Index row = 0; row < kTileRows; ++row) tile[row] = Tile::Zero();
      for (Eigen::Index n = 0; n < vectors.rows(); ++n) {
        const double* vector = vectors.data() + n * width;
        const Tile right = Eigen::Map<const Tile>(vector + j);
        for (Eigen::Index row = 0; row < kTileRows; ++row) tile[row] += vector[i + row] * right;
      }
      for (Eigen::Index row = 0; row < kTileRows; ++row) {
        Eigen::Map<Tile>(sums.data() + (i + row) * width + j) += tile[row];
      }
    }
  }
}

/// The samples of a view in double, normalised or as they are.
template <class Real>
class Samples {
 public:
  Samples(const BasicFeatureView<Real>& view, bool is_normalised)
      : view_(view), is_normalised_(is_normalised), sample_(view.feature_dim) {}

  const Eigen::VectorXd& read(std::int64_t n) {
    sample_ = Eigen::Map<const Eigen::VectorX<Real>>(view_.sample(n).data(), view_.feature_dim)
                  .template cast<double>();
    if (is_normalised_) sample_ /= std::max(sample_.norm(), kLeastNorm);
    return sample_;
  }

 private:
  const BasicFeatureView<Real>& view_;
  bool is_normalised_;
  Eigen::VectorXd sample_;
};

/// Orthonormal columns that span the differences of the class means. The last mean is left out: about their
/// mean it is minus the sum of the others.
Eigen::MatrixXd basis_of_differences(const Eigen::MatrixXd& means) {
  const Eigen::Index dimension = means.rows();
  const Eigen::Index rank = means.cols() - 1;
  if (rank >= dimension) return Eigen::MatrixXd::Identity(dimension, dimension);
  const Eigen::VectorXd centre = means.rowwise().mean();
  const Eigen::MatrixXd differences = means.leftCols(rank).colwise() - centre;
  // No pivoting: R is upper triangular whatever the rank, so that the first `rank` columns of Q span them
  // all.
  const Eigen::HouseholderQR<Eigen::MatrixXd> factors(differences);
  return factors.householderQ() * Eigen::MatrixXd::Identity(dimension, rank);
}

template <class Real>
void add_deviations(const BasicFeatureView<Real>& view, bool is_normalised, WithinCovariance within,
                    Moments& moments) {
  const Eigen::Index dimension = view.feature_dim;
  const bool is_whole = within == WithinCovariance::kFull;
  if (within != WithinCovariance::kNone) {
    moments.basis =
        is_whole ? Eigen::MatrixXd::Identity(dimension, dimension) : basis_of_differences(moments.means);
  }
  const Eigen::Index rank = moments.basis.cols();
  const bool is_projected = rank < dimension && rank > 0;
  const ColumnProducts projections(moments.basis);
  Samples<Real> samples(view, is_normalised);
  // Projected deviations come out of ColumnProducts padded; whole ones are padded here.
  RowMajorMatrix deviations =
      RowMajorMatrix::Zero(kChunk, is_projected || rank == 0 ? dimension : rounded_up(dimension));
  RowMajorMatrix projected;
  RowMajorMatrix sums = RowMajorMatrix::Zero(rounded_up(rank), rounded_up(rank));

  moments.variances.setZero(dimension, view.num_classes);
  for (std::int64_t first = 0; first < view.size(); first += kChunk) {
    const Eigen::Index count = std::min<std::int64_t>(kChunk, view.size() - first);
    for (Eigen::Index n = 0; n < count; ++n) {
      const int y = view.label(first + n);
      auto deviation = deviations.row(n).head(dimension).transpose();
      deviation = samples.read(first + n) - moments.means.col(y);
      moments.variances.col(y) += deviation.cwiseAbs2();
    }
    if (rank == 0) continue;
    if (count < kChunk) deviations.bottomRows(kChunk - count).setZero();
    if (is_projected) projections.multiply(deviations, projected);
    add_outer_products(is_projected ? projected : deviations, sums);
  }
  for (int y = 0; y < view.num_classes; ++y) {
    moments.variances.col(y) /= static_cast<double>(moments.counts[static_cast<std::size_t>(y)]);
  }
  moments.within.resize(rank, rank);
  for (Eigen::Index j = 0; j < rank; ++j) {
    for (Eigen::Index i = 0; i <= j; ++i) {
      moments.within(i, j) = moments.within(j, i) = sums(i, j) / static_cast<double>(view.size());
    }
  }
}

/// Global means and deviations, for means that are there.
template <class Real>
void complete(const BasicFeatureView<Real>& view, bool is_normalised, WithinCovariance within,
              Moments& moments) {
  moments.class_mean = moments.means.rowwise().mean();
  moments.sample_mean.setZero(view.feature_dim);
  for (int y = 0; y < view.num_classes; ++y) {
    const auto count = static_cast<double>(moments.counts[static_cast<std::size_t>(y)]);
    moments.sample_mean += count / static_cast<double>(view.size()) * moments.means.col(y);
  }
  add_deviations(view, is_normalised, within, moments);
}

template <class Real>
Moments normalised_moments(const BasicFeatureView<Real>& view, const std::vector<std::int64_t>& counts,
                           WithinCovariance within) {
  Moments moments;
  moments.counts = counts;
  moments.means.setZero(view.feature_dim, view.num_classes);
  Samples<Real> samples(view, true);
  for (std::int64_t n = 0; n < view.size(); ++n) moments.means.col(view.label(n)) += samples.read(n);
  for (int y = 0; y < view.num_classes; ++y) {
    moments.means.col(y) /= static_cast<double>(counts[static_cast<std::size_t>(y)]);
  }
  complete(view, true, within, moments);
  return moments;
}

/// Mean and standard deviation of the norms, the squares taken about the first norm: about 0 they would
/// cancel.
template <class Real>
std::pair<double, double> norm_moments(const BasicFeatureView<Real>& view) {
  Samples<Real> samples(view, false);
  const auto count = static_cast<double>(view.size());
  const double origin = samples.read(0).norm();
  double sum = 0;
  double squares = 0;
  for (std::int64_t n = 0; n < view.size(); ++n) {
    const double norm = samples.read(n).norm() - origin;
    sum += norm;
    squares += norm * norm;
  }
  const double mean = sum / count;
  return {origin + mean, std::sqrt(std::max(squares / count - mean * mean, 0.0))};
}

}  // namespace

template <class Real>
FeatureMoments feature_moments(const BasicFeatureView<Real>& view, const MomentNeeds& needs) {
  ClassMeans means = class_means(view);
  FeatureMoments result;
  result.raw.means = std::move(means.means);
  result.raw.counts = std::move(means.counts);
  complete(view, false, needs.raw, result.raw);
  if (needs.normalised) {
    result.normalised = normalised_moments(view, result.raw.counts, needs.normalised_within);
  }
  std::tie(result.mean_norm, result.norm_deviation) = norm_moments(view);
  return result;
}

template FeatureMoments feature_moments(const BasicFeatureView<float>&, const MomentNeeds&);
template FeatureMoments feature_moments(const BasicFeatureView<double>&, const MomentNeeds&);

}  // namespace gnc
