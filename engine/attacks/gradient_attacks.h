#pragma once
/// Attacks in the maximum norm that climb the loss: FGSM and projected gradient descent.
///
/// Both climb the log-odds against a picture's class, whose gradient has the direction of cross-entropy's and
/// does not vanish with it (engine/ops/adversarial.h). Pictures stay in [0,1] and within epsilon of the clean
/// ones.

#include "engine/attacks/attack_target.h"

namespace gnc {

/// margins [B] ← min(margins, z_y − max_{k≠y} z_k) of the clean pictures, without an attack.
void take_clean_margins(const AttackTarget& target, const Tensor& margins);

/// Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", 2015: one step of `epsilon`
/// (in pixel values, of [0,1]) along the sign of the gradient. Lowers margins [B] of every run to the least
/// that pictures had on the way, the clean one included; gives the pictures it ends with [B,C,H,W].
LeasedTensor fast_gradient_sign(const AttackTarget& target, float epsilon, const Tensor& margins);

struct ProjectedGradientSettings {
  float epsilon = 2.0F / 255;
  int steps = 20;
  /// A step over epsilon; 2.5 over the number of steps reaches every corner of the ball from every start
  /// (Madry et al.).
  float relative_step = 2.5F / 20;
};

/// Madry, Makelov, Schmidt, Tsipras, Vladu, "Towards deep learning models resistant to adversarial attacks",
/// 2018: from clean + epsilon·start, start [B,C,H,W] in [−1,1] in the dtype and layout of x (of every run, or
/// shared), that many steps along signs, each followed by the projection. Lowers margins [B] to the least on
/// the way, the start and the end included; gives the pictures it ends with.
LeasedTensor projected_gradient(const AttackTarget& target, const ProjectedGradientSettings& settings,
                                const ConstTensor& start, const Tensor& margins);

}  // namespace gnc
