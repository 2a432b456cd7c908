#pragma once
/// What the pictures of a class say about its support, whatever network looks at them.

#include <Eigen/Core>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/metrics/covering.h"

namespace gnc {

/// The n_i pictures of one class that are looked at, D values each.
struct ClassSupport {
  Eigen::MatrixXd distances;  ///< [n_i,n_i] pairwise_distances()
  GreedyNet net;              ///< on them
  double dimension = 0;       ///< intrinsic_dimension()
  double mean_square = 0;     ///< of |x|
  double largest_square = 0;  ///< likewise
  std::int64_t values = 0;    ///< D
};

/// Of every class, from `inputs` [n,D] with `labels` [n] in [0,classes). Throws ShapeError where the extents
/// do not fit, Error for a label out of range and for a class without a picture. n_i²·D multiply-adds and
/// 8n_i² bytes a class: make it once for all networks that are trained on the same pictures.
std::vector<ClassSupport> class_supports(std::span<const float> inputs, std::span<const std::int32_t> labels,
                                         int classes);

/// Rows of `values` [n,width] of the samples of a class, in double and in their order.
Eigen::MatrixXd rows_of_class(std::span<const float> values, std::span<const std::int32_t> labels, int label);

}  // namespace gnc
