#pragma once
/// The collapse metrics as other papers and their code define them, each by the name of its source. The field
/// does not agree on numbers (NC1 … NC4) nor on scale, centring, squares and estimators; these are its
/// conventions side by side. The paper's own are in neural_collapse.h.

#include <Eigen/Core>

#include <span>
#include <string>
#include <vector>

#include "engine/metrics/features.h"

namespace gnc {

/// Metrics of chosen sources. Notation: h features, μ_c class means, μ_G the mean over samples (papyan, wu:
/// the mean of the class means), S_W and S_B as in neural_collapse.h, w_c the classifier's columns, v_c the
/// mean of ‖h − μ_c‖² over class c. Pseudo-inverses are taken over eigenvalues of S_B above
/// max(d,C)·ε·λ_max, so no NC1 is negative as with the thresholds of float32 code. Sources and columns:
///
/// papyan (Papyan, Han, Donoho 2020): nc1 = Tr(S_W S_B⁺), at most C−1 eigenvalues; equinorm_means and
///   equinorm_classifier = std/mean of ‖μ_c − μ_G‖ and ‖w_c‖ (1/(C−1)); equiangular_means and
///   equiangular_classifier = mean |cos + 1/(C−1)|; self_duality = ‖W/‖W‖ − Ḣ/‖Ḣ‖‖²; nc4 = 1 − agreement of
///   the network's answer with the nearest class mean.
/// zhu (Zhu et al. 2021): nc1 = Tr(S_W S_B⁺)/C; etf_classifier = ‖WᵀW/‖WᵀW‖ − (I − 11ᵀ/C)/√(C−1)‖;
///   self_duality = ‖WᵀḢ/‖WᵀḢ‖ − (I − 11ᵀ/C)/√(C−1)‖; bias_collapse = ‖Wᵀμ_G + b‖.
/// los (Zhou et al. 2022): as zhu, W centred over classes in the last two matrices.
/// yaras (Yaras et al. 2022): as zhu, class means not centred in self_duality.
/// jiang (Jiang et al. 2023; features divided by their norms, C > d): gnc1 = Tr(S_W S_B⁺)/C; gnc2 = the
///   one-vs-rest distance of the classifier, exact (one_vs_rest.h); max_cosine of it; gnc3 = mean over c of
///   1 − cos(μ_c − μ_G, w_c); ncc_accuracy = how often the nearest class mean is the label's.
/// wu (Wu, Papyan 2024): nc1_pinv (as zhu, about the mean of the class means), nc1_svd (papyan's over C),
///   nc1_quotient = Tr S_W/Tr S_B; etf_means and self_duality as zhu's of the centred class means; mean and
///   variance over pairs of unit centred means of the kernels distance, log 1/distance and Riesz
///   sign(s)·distance^(−s), s = d−2; agreement of argmax w·h, without bias, with the nearest class mean.
/// galanti (Galanti et al. 2021): cdnv = mean over pairs of (v_a + v_b)/(2‖μ_a − μ_b‖²).
/// rangamani (2023): nc1 (as zhu); cdnv with denominators of at least 1e-15; ncc_accuracy, not scaled.
/// markou (2024): vci = 1 − Tr((S_W + S_B)⁺S_B)/min(d, C−1); equinorm_means; nc4 as papyan's.
/// yan (Yang et al. 2022): mean and deviation of the cosines of pairs: means (centred), classifier, mean
///   against another class's classifier; and of each mean with its own classifier (diagonal).
/// lpm (Fang et al. 2021): equinorm_means (1/C), equiangular_means, self_duality and its root;
/// minority_cosine =
///   mean cosine of w_a, w_b over pairs of minority classes (less than half the samples of the largest),
///   which is 1 after minority collapse; NaN where fewer than two classes are.
/// fsx (nc-toolbox): equinorm_means (1/C); self_duality un-squared; log_distance_cov = std/mean of log
///   1/distance.
/// ntk (Seleznova et al. 2023): etf_means; self_duality un-squared.
/// hug (Liu et al. 2023): inverse_square_distance = mean of 1/distance² over pairs of unit centred means.
/// frame (this program; nothing centred): max_cosine, max_abs_cosine, welch_gap = max|cos| −
/// √((C−d)/(d(C−1)))
///   (C > d), rankin_gap = max cos − 0 where d+2 <= C (else + 1/(C−1)), tightness = λ_min/λ_max of the d×d
///   frame operator, each of means and classifier; feature_norm_mean, feature_norm_deviation.
///
/// Ratios whose denominator vanishes are NaN or infinite, as in IEEE arithmetic.
class Conventions {
 public:
  /// Throws Error for an unknown source, naming the nearest one.
  explicit Conventions(std::span<const std::string> sources);
  Conventions() = default;  ///< of no source

  bool empty() const { return columns_.empty(); }
  /// "zhu_nc1", …: the columns of the sources, in the order in which the sources were given.
  std::vector<std::string> names() const;
  /// Their values. `classifier` [d,C]; `bias` [C] or empty. Throws as measure_moments() does. Equal inputs
  /// give equal bits on any number of threads.
  template <class Real>
  std::vector<double> measure(const BasicFeatureView<Real>& view, const Eigen::MatrixXd& classifier,
                              const Eigen::VectorXd& bias = {}) const;

  /// Every source, in the order above.
  static std::vector<std::string> sources();

 private:
  std::vector<std::size_t> columns_;  // places in the list of all columns
};

}  // namespace gnc
