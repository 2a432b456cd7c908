#pragma once
/// How far the features of a trained network have collapsed: NC1 to NC4 in the paper's form, the field's
/// forms beside them, and the margins of Definition 3.6. In double; features are read twice and never copied
/// as a whole.

#include <Eigen/Core>

#include <string>
#include <utility>
#include <vector>

#include "engine/metrics/features.h"

namespace gnc {

/// Notation: z_n features, y_n labels, z̄_y class means, μ_G the mean of the class means, M_y the classifier's
/// columns, S_W = 1/N Σ_n (z_n − z̄_{y_n})(z_n − z̄_{y_n})ᵀ, S_B = 1/C Σ_y (z̄_y − μ_G)(z̄_y − μ_G)ᵀ. Averages
/// over samples weigh samples equally, averages over classes weigh classes equally, also when the counts
/// differ.
///
/// Theorem 3.2 states limits and names no scalars; nc1 to nc4 are scale-free scalars of those limits, each 0
/// in the limit. The other fields follow the papers they cite and are called by what they measure, because
/// the field does not agree on the numbers (the paper's NC2 is self-duality and its NC3 the frame). A ratio
/// whose denominator vanishes is NaN or ∞, as in IEEE arithmetic: features that have all shrunk to zero have
/// no geometry.
struct CollapseReport {
  // The paper's limits.
  /// ‖z_{y,i} − z_{y,j}‖ → 0: mean_n ‖z_n − z̄_{y_n}‖ / mean_y ‖z̄_y‖.
  double nc1 = 0;
  /// ‖z_{y,i} − M_y‖ → 0: mean_n ‖z_n/‖z_n‖ − M_{y_n}/‖M_{y_n}‖‖, in [0,2]. Directions only: a frozen M keeps
  /// its norm while the features grow, so the printed distance (`dual_distance`) need not vanish. A feature
  /// that is exactly 0 has no direction and counts as 1.
  double nc2 = 0;
  /// M → the frame of least maximal correlation: max_{y≠y'} cos(z̄_y, z̄_y') − max_{y≠y'} cos(M_y, M_y'). 0
  /// when the learned means attain what the classifier attains, negative when they do better.
  double nc3 = 0;
  /// Nearest class mean: 1 − the fraction of samples with argmax_y <M_y,z> = argmin_y ‖z − z̄_y‖, first class
  /// at ties. Theorem 3.2 prints argmax for both, Section 2.1 has it right.
  double nc4 = 0;

  // The same limits un-normalised.
  /// max_{y≠y'} cos(z̄_y, z̄_y'); the paper's NC3 quantity on the learned side, not centred.
  double max_cosine_means = 0;
  /// max_{y≠y'} cos(M_y, M_y').
  double max_cosine_classifier = 0;
  /// mean_n ‖z_n − M_{y_n}‖, NC2 as printed.
  double dual_distance = 0;

  // The field's forms.
  /// Tr(S_W S_B⁺)/C (Zhu et al. 2021), over the eigenvectors of S_B, so never negative. NaN when S_B has rank
  /// 0.
  double within_between_pinv = 0;
  /// Rank r of S_B used there: eigenvalues above max(d,C)·ε·λ_max, at most min(d, C−1).
  int between_rank = 0;
  /// Tr S_W / Tr S_B (Tirer, Huang, Niles-Weed 2023).
  double within_between_quotient = 0;
  /// Standard deviation of ‖z̄_y − μ_G‖ over classes (biased, 1/C) over their mean; 0 for equal norms (NC2 of
  /// Papyan et al. 2020, who use 1/(C−1)).
  double equinorm = 0;
  /// mean_{y≠y'} |cos(z̄_y − μ_G, z̄_y' − μ_G) + 1/(C−1)| (NC2 of Papyan et al.): 0 for a simplex. Cannot reach
  /// 0 when C > d + 1.
  double equiangular = 0;
  /// ‖M/‖M‖_F − Ż/‖Ż‖_F‖_F², Ż the centred class means [d,C] (NC3 of Papyan et al.). 0 needs a classifier
  /// whose columns sum to zero.
  double self_duality = 0;
  /// ‖μ_G‖ / mean_y ‖z̄_y‖: how far the means are from centred, which a frame of C > d + 1 vectors need not
  /// be.
  double mean_offset = 0;

  /// [d,C]: the class means z̄_y.
  Eigen::MatrixXd class_means;

  // Margins (Definition 3.6).
  /// [C,C]: γ_ij = min over the samples of class i of (M_i − M_j)ᵀz, the largest γ the definition admits; 0
  /// for i = j.
  Eigen::MatrixXd margins;
  /// min_{i≠j} γ_ij; > 0 exactly when M separates the features.
  double smallest_margin = 0;
  /// mean_{i≠j} γ_ij.
  double mean_margin = 0;
  /// max |(M_i − M_j)ᵀz| over the samples z of class i, i ≠ j: the K of Theorem 3.8 as far as it was seen.
  double largest_margin = 0;
  /// [C]: Σ ‖z‖² over the samples of a class, and how many they are.
  Eigen::VectorXd squared_norms;
  std::vector<std::int64_t> counts;
};

/// Measures all of it. `classifier` [d,C], column y = M_y (the bias, if any, is not part of the definitions).
/// Equal inputs give equal bits on any number of threads. Throws ShapeError when the shapes do not fit, Error
/// as `class_means` does, and for a classifier that is not finite. Cost N·d·(2C + r) multiply-adds and memory
/// independent of N.
template <class Real>
CollapseReport measure_collapse(const BasicFeatureView<Real>& view, const Eigen::MatrixXd& classifier);

/// The scalars as columns of a CSV file, in a fixed order: nc1, nc2, nc3, nc4, then the others by name.
std::vector<std::pair<std::string, double>> columns(const CollapseReport& report);

/// The names alone, for the header.
std::vector<std::string> collapse_column_names();

}  // namespace gnc
