#pragma once
/// Theorem 4.2, the accuracy bound by covering numbers, and the margin bound's Rademacher term by spectral
/// norms (Theorem 3.8), evaluated on a trained network and its training pictures.

#include <Eigen/Core>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/metrics/class_support.h"
#include "engine/metrics/neural_collapse.h"

namespace gnc {

struct LipschitzBound;

/// What the theorem wants to know of a network and its training pictures, of which some of every class are
/// looked at closely.
struct CoveringInputs {
  std::span<const ClassSupport> supports;  ///< [C] of what networks are given for the n pictures
  std::span<const float> features;         ///< [n,d] what this one gives
  std::span<const std::int32_t> labels;    ///< [n], in [0,C)
  const Eigen::MatrixXd& classifier;       ///< [d,C]
  const CollapseReport& collapse;          ///< of all training pictures: margins, and N_i
  const LipschitzBound& norms;             ///< of the features, by the layers' norms
  double steepest_gradient = 0;  ///< the largest ‖∂f/∂x‖₂ seen at a picture; 0: not looked at
};

/// The theorem's terms. Its error bound is Σ_i p(i) 𝒩(ε_i, ℳ_i)/(2N_i), ε_i = min_j γ_ij/(L‖M_i − M_j‖): a
/// picture within ε_i of a training picture of its class is classified like it. The theorem wants L of the
/// whole input space and the covering number of the class's support; neither can be had, so each is given by
/// estimates, and the names say by which. A "log10" is of the bound on the error, which is far above 1 in
/// practice, where it says nothing and can only be compared.
struct CoveringBound {
  // L from below: what the features were seen to do. ‖·‖ is the Euclidean norm of normalised pictures.
  double lipschitz_secant = 0;    ///< max ‖f(x) − f(x')‖/‖x − x'‖ over pairs of one class
  double lipschitz_gradient = 0;  ///< CoveringInputs::steepest_gradient; NaN where not looked at
  /// L from above: the product of the layers' spectral norms, sums where branches meet. Each norm is itself
  /// approached from below (spectral_norm()), to some 1e-4.
  double lipschitz_norms = 0;

  /// Mean over classes of intrinsic_dimension().
  double intrinsic_dimension = 0;
  /// Mean over classes of ε_i, L from below (the larger of the two estimates).
  double radius = 0;
  /// The bound with the sizes of greedy nets on the pictures themselves, L from below; where only some
  /// pictures of a class are looked at, with the share of them that the net takes. Never more than 1/2, which
  /// is the value where no two pictures are within ε_i.
  double error_net = 0;
  /// Classes with N_i > 𝒩(ε_i), as the theorem presumes, by the extrapolated numbers and L from below.
  int classes_sampled_enough = 0;
  double log10_error = 0;        ///< numbers extrapolated by dimension, L from below
  double log10_error_norms = 0;  ///< the same, L from above
  /// The form that the theorem prints, for features that have collapsed: ε_ij = a√((ρ² − M_iᵀM_j)/2)/L, with
  /// the classifier as it is and a = margin_scale(), by which features are longer; L from below.
  double log10_error_collapsed = 0;

  /// Theorem 3.8's Rademacher term, Σ_i p(i) Σ_j ℜ_{N_i}/γ_ij, with ℜ estimated for all networks of the same
  /// layer norms: spectral_rademacher().
  double rademacher_spectral = 0;
};

/// NaN where a pair of classes is not separated: the theorems presume that all are. Throws ShapeError where
/// the extents do not fit. n_i²·d multiply-adds a class.
CoveringBound covering_bound(const CoveringInputs& inputs);

/// What the bound is of.
struct SpectralInputs {
  double functional = 0;    ///< |v|
  double data_norm = 0;     ///< ‖X‖_F of the n inputs
  double samples = 0;       ///< n
  double largest_norm = 0;  ///< max ‖x‖ over them
  double input_values = 0;  ///< of one input
};

/// Estimate of the Rademacher complexity on n samples of x ↦ <v, f(x)>, |v| <= `functional`, over all
/// networks f without biases whose layers have the norms given: 4K/n^{3/2} + 18 ln(n)·R/n with
///   K = functional · constant · max‖x‖, the largest value there can be,
///   R = functional · ‖X‖_F · √(ln(2W²)) · (Σ_i (row_sum_i · sensitivity_i)^{2/3} + constant^{2/3})^{3/2},
/// the last term v's own. Bartlett, Foster, Telgarsky 2017 (Theorem 3.3 and the integral of Lemma A.8;
/// reference matrices 0) for functions with values in [−K, K]; the sensitivities carry their covering
/// argument over from chains of layers to residual and dense networks. An estimate where layers have biases
/// (and shifts of batch norm), which theirs have not. W is the largest number of values that a layer gives or
/// the network takes.
double spectral_rademacher(const LipschitzBound& norms, const SpectralInputs& inputs);

/// As columns, by the names above with "covering_" in front (lipschitz_… and intrinsic_dimension as they are;
/// margin_bound_rademacher_spectral).
std::vector<std::pair<std::string, double>> columns(const CoveringBound& bound);
std::vector<std::string> covering_column_names();

}  // namespace gnc
