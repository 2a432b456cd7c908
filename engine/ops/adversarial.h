#pragma once
/// Steps of attacks on a network's inputs: what to climb, how far, and back into the box of pictures.
///
/// Pictures u are in [0,1]; the network sees x = u·scale + offset, scale and offset [1,C,H,W]
/// (engine/batch.h), so that a gradient g in x is the gradient scale·g in u. x and gradients in x are images:
/// fp32, fp64 or bf16; everything else, pictures included, is fp32 beside bf16. Pictures, gradients and x lie
/// in one layout.

#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// Which way the logits of a picture of class y have to go, for every row of logits [B,K] with labels [B]:
///   logits_grad = ∇ log Σ_{k≠y} e^{z_k − z_y}: the softmax over the other classes at k ≠ y, −1 at y.
/// This is the gradient of the log-odds against y. Cross-entropy is log(1 + odds), an increasing function of
/// them, and its gradient this one times 1 − p_y: attacks that look at signs only take the same steps, but
/// this one is there when p_y has rounded to 1, as in the terminal phase it does for every picture.
///   margins[b] ← min(margins[b], z_y − max_{k≠y} z_k); NaN where the logits are.
/// logits_grad [B,K], unless not wanted, may be logits; K >= 2.
struct LogOddsGradient {
  ConstTensor logits;
  ConstTensor labels;
  Tensor margins;      // updated
  Tensor logits_grad;  // or nothing
  static constexpr std::string_view kName = "LogOddsGradient";
  void check() const;
};

/// What a ProjectedStep goes along.
enum class StepDirection : std::uint8_t {
  kSign,    ///< the sign of the direction, taken as a gradient in x: steepest ascent in the maximum norm
  kAsItIs,  ///< the direction itself, in pictures: a random start
};

/// A step in pictures, then back into the ball of `radius` around the clean ones in the maximum norm, and
/// into the box (Goodfellow, Shlens, Szegedy 2015; Madry et al. 2018):
///   pictures ← min(max(pictures + size·s, clean − radius, 0), clean + radius, 1),
///   s = sign(scale·direction) (0 of 0) or the direction, x = pictures·scale + offset.
/// All [B,C,H,W]; clean ones may be shared by the runs.
struct ProjectedStep {
  ConstTensor clean;
  ConstTensor direction;
  ConstTensor scale;
  ConstTensor offset;
  Tensor pictures;  // updated
  Tensor x;
  float size = 0;
  float radius = 0;
  StepDirection kind = StepDirection::kSign;
  static constexpr std::string_view kName = "ProjectedStep";
  void check() const;
};

/// Whether a NearestBoundary is the first of an iteration.
enum class Candidate : std::uint8_t { kFirst, kNext };

/// One candidate of an iteration of DeepFool (Moosavi-Dezfooli, Fawzi, Frossard 2016, algorithm 2): the
/// boundary of a class in the linear model of the network, if it is nearer than those before it. With
/// f = Σ_k difference[b,k]·logits[b,k] and w = scale·gradient, the gradient of f in the picture,
///   distance = |f|/‖w‖₂,  step = |f|/‖w‖₂²·w;
/// where that is less than distances[b] (for kFirst: always), both are written. A gradient of nothing but
/// zeros has no boundary: for kFirst, an infinite distance and a step of zero. logits and difference [B,K],
/// distances [B], gradient (in x) and steps (in pictures) [B,C,H,W].
struct NearestBoundary {
  ConstTensor logits;
  ConstTensor difference;
  ConstTensor gradient;
  ConstTensor scale;
  Tensor distances;  // updated
  Tensor steps;      // updated
  Candidate candidate = Candidate::kFirst;
  static constexpr std::string_view kName = "NearestBoundary";
  void check() const;
};

/// The end of that iteration: samples whose prediction is still the class to be left go on,
///   perturbation ← perturbation + steps,
/// and of all samples norms[b] = ‖perturbation_b‖₂ and x = (clean + (1+overshoot)·perturbation)·scale +
/// offset. No box: DeepFool has none. predictions and classes [B] int32, norms [B], the others [B,C,H,W].
struct BoundaryStep {
  ConstTensor clean;
  ConstTensor steps;
  ConstTensor scale;
  ConstTensor offset;
  ConstTensor predictions;
  ConstTensor classes;
  Tensor perturbation;  // updated
  Tensor norms;
  Tensor x;
  float overshoot = 0;
  static constexpr std::string_view kName = "BoundaryStep";
  void check() const;
};

}  // namespace gnc
