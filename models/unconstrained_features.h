#pragma once
/// The unconstrained feature model: features and classifier as free variables, under gradient descent (4).

#include <Eigen/Dense>

#include <cstdint>
#include <vector>

#include "engine/backend.h"
#include "engine/metrics/features.h"
#include "engine/metrics/neural_collapse.h"

namespace gnc {

/// Where a descent starts.
enum class UfmStart : std::uint8_t {
  kGaussian,     ///< independent N(0, 1/d) entries
  kTorchLinear,  ///< as torch.nn.Linear: U(-1/√fan_in, 1/√fan_in); fan-in C for the features, d for M
};

/// One problem: how many samples each class has, the loss and the steps of its descent.
struct UfmConfig {
  int dim = 0;                   ///< d >= 1
  std::vector<int> class_sizes;  ///< n_y >= 1, of C >= 2 classes; their sum is N
  UfmPenalty penalty = UfmPenalty::kSquared;
  double cross_entropy_scale = 1;
  double feature_decay = 0;     ///< ω
  double classifier_decay = 0;  ///< λ
  double feature_lr = 0;        ///< α
  double classifier_lr = 0;     ///< β
  double norm = 1;              ///< ρ of UfmPenalty::kSphere
  UfmStart start = UfmStart::kGaussian;

  int num_classes() const { return static_cast<int>(class_sizes.size()); }
  std::int64_t num_samples() const;
  /// N/C, which is n where all classes have n samples.
  double samples_per_class() const { return static_cast<double>(num_samples()) / num_classes(); }
  /// Throws UsageError naming the setting, its value and what was expected.
  void check() const;
};

/// Equation (3) with what Assumption C.3 leaves free; λ = ω·N/C and β = α/(N/C) follow from it.
UfmConfig equation3_config(int dim, std::vector<int> class_sizes, double feature_decay = 0.1,
                           double feature_lr = 0.1);
/// Equation (1) under (2) with equality: all norms are ρ, after every step again. β = α/(N/C).
UfmConfig equation2_config(int dim, std::vector<int> class_sizes, double norm, double feature_lr = 0.1);
/// Code 1 as printed: one sample a class, mean cross-entropy + 0.1·(‖M‖_F + ‖Z‖_F), learning rate 0.1,
/// torch.nn.Linear's start.
UfmConfig code1_config(int dim, int classes);

/// max(|λ/ω·C/N − 1|, |α/β·C/N − 1|): 0 where Assumption C.3 holds. Only for UfmPenalty::kSquared with ω > 0.
double assumption_c3_residual(const UfmConfig& config);

/// A state of one problem, in double.
struct UfmState {
  std::int64_t step = 0;
  std::vector<double> features;  ///< [N,d], row-major; the samples of class 0 first, then those of class 1, …
  Eigen::MatrixXd classifier = {};  ///< [d,C]
  double cross_entropy = 0;         ///< s·Σ_i of the samples, nats
  double penalty = 0;               ///< the rest of the loss
  /// Frobenius norm of the loss's gradient to Z and M, as a step sees it: the change it makes over its
  /// learning rates. Under kSphere the tangent part, to first order in the rates.
  double gradient_norm = 0;
  /// Below this a gradient is lost in the rounding of the iterates: the dtype's spacing over the learning
  /// rates.
  double gradient_resolution = 0;

  double loss() const { return cross_entropy + penalty; }
};

/// Whether it has gone to zero: no logit, at most the product of the largest norms, reaches 0.01, so that the
/// softmax is uniform to a per cent.
bool has_vanished(const UfmState& state);

/// K independent problems of one size, on a backend.
class UnconstrainedFeatureModel {
 public:
  /// Problem p starts from numbers of (seed, p). `dtype` is fp32 or fp64. Throws UsageError for a config that
  /// makes no sense, and when the numbers cannot fit into memory: then with what they need.
  UnconstrainedFeatureModel(Backend& backend, const UfmConfig& config, int problems, std::uint64_t seed,
                            DType dtype = DType::kF64);

  const UfmConfig& config() const { return config_; }
  int problems() const { return classifier_.view().runs(); }
  std::int64_t steps() const { return steps_; }
  /// The class of each sample [N].
  const std::vector<std::int32_t>& labels() const { return labels_; }

  /// `steps` >= 1 steps of every problem.
  void descend(int steps);
  /// Where every problem stands. Takes a step to see the gradient, and takes it back.
  std::vector<UfmState> states();

 private:
  void run(int steps);

  Backend& backend_;
  UfmConfig config_;
  std::vector<std::int32_t> labels_;
  DeviceTensor features_, classifier_, device_labels_, losses_;
  std::int64_t steps_ = 0;
};

/// What a state has collapsed to.
struct UfmReport {
  CollapseReport collapse = {};  ///< of Z against M
  double min_norm = 0;           ///< smallest |M_y|
  double max_norm = 0;           ///< largest |M_y|
  double min_feature_norm = 0;   ///< smallest |z̄_y|
  double max_feature_norm = 0;   ///< largest |z̄_y|
  double max_inner_product = 0;  ///< max over y≠y' of cos(M_y, M_y')
  /// Lemma 3.7: max over i≠j of |γ_ij + ⟨M_i, M_j⟩ − ρ²|/ρ², ρ² the mean of |M_y|².
  double margin_residual = 0;
  bool is_collapsed_to_zero = false;
  double gradient_norm = 0;
};

/// Measures a state of a model with these labels.
UfmReport measure_ufm(const UfmConfig& config, const std::vector<std::int32_t>& labels,
                      const UfmState& state);

/// Minority collapse (Corollary 3.12), of the classes from `majority_classes` on.
struct MinorityReport {
  double max_inner_product = 0;  ///< max cos(M_i, M_j) among them; 1: two of them are parallel
  double mean_distance = 0;      ///< mean of |M_i − M_j| among them, over the mean of |M_y| of all classes
  double smallest_margin = 0;    ///< min γ_ij among them
};
/// Needs two or more minority classes.
MinorityReport measure_minority(const UfmState& state, const UfmReport& report, int majority_classes);

}  // namespace gnc
