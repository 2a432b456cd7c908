#pragma once
/// DeepFool: how far a picture is from the nearest decision boundary, in the Euclidean norm.

#include <vector>

#include "engine/attacks/attack_target.h"

namespace gnc {

struct DeepFoolSettings {
  /// The classes whose boundaries are looked at: those with the largest logits at the clean picture beside
  /// its own. Nine, as the authors' code has it: all there are for up to ten classes.
  int candidates = 9;
  int iterations = 50;      ///< at most
  float overshoot = 0.02F;  ///< η: iterates are clean + (1+η)·Σr, so that they cross the boundary
};

/// Moosavi-Dezfooli, Fawzi, Frossard, "DeepFool: a simple and accurate method to fool deep neural networks",
/// 2016, algorithm 2 with the norm l2: to the nearest boundary of the network's linear model at the iterate,
/// again and again, until the prediction is no longer that of the clean picture (right or wrong). Pictures
/// may leave [0,1], as there.
///
/// Steps: evaluate(), begin(), then iterate() until is_done(); distances() are then ‖Σr‖ (in pixel values of
/// [0,1], without the overshoot). evaluate() and iterate() only run ops, so that a dry run of them plans the
/// memory; the others look at what the device has computed.
class DeepFool {
 public:
  DeepFool(const AttackTarget& target, const DeepFoolSettings& settings);

  /// The logits of the clean pictures.
  void evaluate();
  /// Which classes are left, and for which. Throws RunDivergenceError where a logit is not finite.
  void begin();
  void iterate();
  /// Whether every picture of every run had another prediction when the last iteration began.
  bool is_done() const;
  /// ‖Σr‖ so far, [B] of every run, boundary or not.
  const Tensor& norms() const { return norms_.tensor(); }
  /// The same, run by run: infinite where the last iterate still has the prediction of the clean
  /// picture, so that no boundary was found.
  std::vector<double> distances();
  int iterations() const { return iterations_; }

 private:
  TensorSpec per_sample(DType dtype) const;

  AttackTarget target_;
  DeepFoolSettings settings_;
  int candidates_;
  int iterations_ = 0;
  LeasedTensor x_;
  LeasedTensor perturbation_;
  LeasedTensor steps_;
  LeasedTensor logits_;                    // [B,K] of the clean pictures
  LeasedTensor classes_;                   // [B] the class to be left
  LeasedTensor predictions_;               // [B] at the last iterate
  LeasedTensor losses_;                    // [B], of no interest
  LeasedTensor distances_;                 // [B]
  LeasedTensor norms_;                     // [B]
  std::vector<LeasedTensor> differences_;  // [B,K] each: 1 at the candidate, −1 at the class to be left
};

/// All of that.
std::vector<double> deepfool_distances(const AttackTarget& target, const DeepFoolSettings& settings);

}  // namespace gnc
