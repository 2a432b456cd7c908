#pragma once
/// Gradient descent on the unconstrained feature model.

#include <cstdint>
#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// What keeps the norms of features z_i and classifier vectors M_y in check.
enum class UfmPenalty : std::uint8_t {
  kSquared,  ///< Eq. (3): + ω/2 Σ_i |z_i|² + λ/2 Σ_y |M_y|²
  kNorm,    ///< Code 1: + ω ‖Z‖_F + λ ‖M‖_F, the norms not squared; the gradient at 0 is taken as 0
  kSphere,  ///< Eq. (2) with equality: no penalty; every z_i and M_y is scaled to norm ρ after each step
};

std::string_view to_string(UfmPenalty penalty);

/// `steps` steps of gradient descent, Eq. (4), on
///   L(Z, M) = s Σ_i −log softmax(⟨M_y, z_i⟩)_{label_i} + penalty,
/// both gradients from the *old* iterates: Z ← Z − α ∂L/∂Z, M ← M − β ∂L/∂M.
/// features Z [N,d] and classifier M [C,d], rows being z_i and M_y, are updated in place; labels [N] int32 in
/// [0,C), checked by whoever makes them; losses [N] are the samples' cross-entropies (nats) at the iterates
/// from which the last step set out. A run is an independent problem. All but labels fp32, or all fp64, on
/// every backend; row-major. In precisions tf32 and bf16 the device backends round what the three products of
/// a step multiply (Z, M and ∂L/∂logits, each once) to that precision, sums and iterates stay fp32; except
/// problems small enough for one block (N·d and C·d at most 2048) and those in fp64, which are computed as
/// they are stored. The N×C logits are never stored in full unless a problem is small. A sample with
/// a NaN or +∞ logit gets a NaN loss, its features and the whole classifier become NaN, and everything else
/// with the next step. A vector of zeros stays zero under kSphere; norms whose squares underflow in the dtype
/// count as zero.
struct UfmDescent {
  Tensor features;
  Tensor classifier;
  ConstTensor labels;
  Tensor losses;
  int steps = 1;                   // >= 1
  double cross_entropy_scale = 1;  // s: 1 for the sum of Eq. (3), 1/N for the mean of Code 1
  double feature_lr = 0;           // α
  double classifier_lr = 0;        // β
  UfmPenalty penalty = UfmPenalty::kSquared;
  double feature_decay = 0;     // ω
  double classifier_decay = 0;  // λ
  double norm = 1;              // ρ of kSphere
  static constexpr std::string_view kName = "UfmDescent";

  int num_samples() const { return features.shape()[0]; }    // N
  int feature_dim() const { return features.shape()[1]; }    // d
  int num_classes() const { return classifier.shape()[0]; }  // C
  int runs() const { return losses.runs(); }
  void check() const;
};

}  // namespace gnc
