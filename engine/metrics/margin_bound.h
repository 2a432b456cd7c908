#pragma once
/// The multiclass margin bound (Theorem 3.8, full version in appendix D; Corollaries 3.9 and 3.12) and Lemma
/// 3.7, evaluated on what a trained network's features give.

#include <Eigen/Core>

#include <string>
#include <utility>
#include <vector>

#include "engine/metrics/neural_collapse.h"

namespace gnc {

/// The terms of Theorem 3.8 for one network. p(i) = N_i/N, the class distribution of the sample. γ_ij is
/// taken just below min over class i of (M_i − M_j)ᵀz, so that no sample counts in the empirical term: with
/// "≤" as printed, γ_ij equal to that minimum would count the very sample that attains it.
///
/// Two quantities that the theorem wants of a whole function space are taken from the data, and the columns
/// say so: K is the largest |(M_i − M_j)ᵀz| seen (a lower estimate of the supremum), and ℜ_n is that of the
/// linear functions z ↦ <v, z>, |v| ≤ max|M_i − M_j|, on the features as learned (the upper bound
/// Λ√(Σ‖z‖²)/n): what is left when the extractor is thought fixed, less than that of all networks.
struct MarginBound {
  double rademacher = 0;   ///< Σ_i p(i) Σ_{j≠i} ℜ_{N_i}/γ_ij
  double logarithm = 0;    ///< Σ_i p(i) Σ_{j≠i} √(log log₂(4K/γ_ij) / N_i)
  double probability = 0;  ///< Σ_i p(i) Σ_{j≠i} √(log(C(C−1)/δ) / (2N_i))
  /// Pairs (i, j) that are not separated (γ_ij <= 0): the theorem says nothing with their margins, and they
  /// are left out of the first two terms. The bound holds with 0 of them.
  int unseparated_pairs = 0;
  /// Corollary 3.12's part of the first two terms: pairs of minority classes, those with less than half the
  /// samples of the largest. 0 where there are none.
  double minority = 0;
  double smallest_minority_margin = 0;  ///< γ over those pairs; NaN where there are none
  /// Mean cos(M_i, M_j) over those pairs: 1 after minority collapse (Remark 3.13); NaN where there are none.
  double minority_cosine = 0;

  /// The bound on the error; more than 1 says nothing. NaN where a pair is not separated.
  double total() const;
};

/// `classifier` [d,C] as given to measure_collapse(); δ in (0,1). Throws Error otherwise.
MarginBound margin_bound(const CollapseReport& report, const Eigen::MatrixXd& classifier,
                         double delta = 0.05);

/// By how much features are longer than the classifier, a >= 0 with γ_ij ≈ a(‖M_i‖² − <M_i,M_j>) in least
/// squares over the pairs: a frozen M keeps its norm, so that Lemma 3.7's common ρ is one of directions.
double margin_scale(const CollapseReport& report, const Eigen::MatrixXd& classifier);

/// Lemma 3.7, γ_ij + <M_i, M_j> = ρ², how far it is from true: max_{i≠j} |γ_ij − a(‖M_i‖² − <M_i,M_j>)|
/// over a·max‖M_i‖², a = margin_scale(). 0 after collapse, 1 and more far from it; NaN where a is 0.
double margin_lemma_residual(const CollapseReport& report, const Eigen::MatrixXd& classifier);

/// Both as columns: margin_bound, margin_bound_rademacher, …, margin_lemma_residual.
std::vector<std::pair<std::string, double>> margin_columns(const CollapseReport& report,
                                                           const Eigen::MatrixXd& classifier);
std::vector<std::string> margin_column_names();

}  // namespace gnc
