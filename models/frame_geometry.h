#pragma once
/// What a frame looks like: its norms, its correlations and how near it is to the best there can be.

#include <Eigen/Dense>

#include <cstdint>
#include <functional>
#include <vector>

#include "models/frame.h"
#include "models/frame_bounds.h"

namespace gnc {

/// Measurements of a frame. Inner products are those of the directions M_y/|M_y|, so that they compare with
/// bounds for unit vectors whatever the norms.
struct FrameGeometry {
  double max_inner_product = 0.0;         ///< max over i≠j of ⟨m_i, m_j⟩
  double max_abs_inner_product = 0.0;     ///< max over i≠j of |⟨m_i, m_j⟩|
  double min_abs_inner_product = 0.0;     ///< min over i≠j of |⟨m_i, m_j⟩|
  std::int64_t pairs_at_maximum = 0;      ///< pairs i<j within 1e-9 of max_inner_product
  std::int64_t pairs_at_abs_maximum = 0;  ///< pairs i<j within 1e-9 of max_abs_inner_product
  double min_norm = 0.0;                  ///< smallest |M_y|
  double max_norm = 0.0;                  ///< largest |M_y|
  double uniformity = 0.0;                ///< min_norm/max_norm; 1: uniform (all norms equal)
  int rank = 0;            ///< d: spans R^d, which is what the paper's Definition 2.4 calls tight
  double tightness = 0.0;  ///< A/B of the frame bounds A|x|² <= Σ⟨m_y,x⟩² <= B|x|²; 1: tight
  double mean_norm = 0.0;  ///< |Σ m_y|/C; 0: centred
  std::vector<double>
      gram_spectrum;  ///< the min(d,C) largest eigenvalues of the Gram matrix of the m_y, falling
};

/// Measures a frame that check_frame() accepts. O(C²d + min(d,C)³), without a whole Gram matrix.
FrameGeometry measure_frame(const Frame& frame);

/// The part of the geometry that an objective minimises.
double correlation(const FrameGeometry& geometry, FrameObjective objective);

/// Definition 2.3: all norms are equal, to 1e-9.
bool is_uniform(const FrameGeometry& geometry);

/// A|x|² = Σ⟨m_y,x⟩² for all x of R^d, the standard sense of tight, to 1e-9.
bool is_tight(const FrameGeometry& geometry);

/// Definition 2.7: |⟨m_i, m_j⟩| is the same for all i≠j, to 1e-9.
bool is_equiangular(const FrameGeometry& geometry);

/// The columns scaled to norm 1.
Eigen::MatrixXd directions(const Frame& frame);

/// Calls `visit` with ranges of columns of the Gram matrix of `unit` [d,C], in order: `first` is the number
/// of the first column, `products` [C,n] is the range. Memory for 1024 columns.
void for_each_gram_range(
    const Eigen::MatrixXd& unit,
    const std::function<void(Eigen::Index first, const Eigen::MatrixXd& products)>& visit);

}  // namespace gnc
