#include "engine/metrics/column_products.h"

#include <array>

namespace gnc {
namespace {

using Tile = Eigen::Array<double, ColumnProducts::kWidth, 1>;

/// kRows vectors, `dimension` apart, times one panel [dimension][kWidth]; rows of the result are `stride`
/// apart.
void multiply_tile(const double* vectors, const double* panel, Eigen::Index dimension, double* products,
                   Eigen::Index stride) {
  std::array<Tile, ColumnProducts::kRows> sums;
  sums.fill(Tile::Zero());
  for (Eigen::Index component = 0; component < dimension; ++component) {
    const Tile row = Eigen::Map<const Tile>(panel + component * ColumnProducts::kWidth);
    for (std::size_t n = 0; n < sums.size(); ++n) {
      sums[n] += vectors[static_cast<Eigen::Index>(n) * dimension + component] * row;
    }
  }
  for (std::size_t n = 0; n < sums.size(); ++n) {
    Eigen::Map<Tile>(products + static_cast<Eigen::Index>(n) * stride) = sums[n];
  }
}

}  // namespace

ColumnProducts::ColumnProducts(const Eigen::MatrixXd& columns)
    : dimension_(columns.rows()),
      tiles_((columns.cols() + kWidth - 1) / kWidth),
      panels_(static_cast<std::size_t>(tiles_ * dimension_ * kWidth), 0.0) {
  for (Eigen::Index k = 0; k < columns.cols(); ++k) {
    for (Eigen::Index component = 0; component < dimension_; ++component) {
      const Eigen::Index offset = ((k / kWidth) * dimension_ + component) * kWidth + k % kWidth;
      panels_[static_cast<std::size_t>(offset)] = columns(component, k);
    }
  }
}

void ColumnProducts::multiply(const RowMajorMatrix& vectors, RowMajorMatrix& products) const {
  eigen_assert(vectors.rows() % kRows == 0 && vectors.cols() == dimension_);
  products.resize(vectors.rows(), tiles_ * kWidth);
  for (Eigen::Index tile = 0; tile < tiles_; ++tile) {
    for (Eigen::Index n = 0; n < vectors.rows(); n += kRows) {
      multiply_tile(vectors.data() + n * dimension_, panels_.data() + tile * dimension_ * kWidth, dimension_,
                    products.data() + n * products.cols() + tile * kWidth, products.cols());
    }
  }
}

}  // namespace gnc
