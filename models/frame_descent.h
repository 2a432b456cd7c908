#pragma once
/// The paper's own ways to a frame: gradient descent on the unconstrained feature model, one feature per
/// class (by NC1 the features of a class coincide).

#include <Eigen/Dense>

#include <cstdint>

#include "engine/random.h"

namespace gnc {

/// Equation (3), L = Σ_y [CE_y + ω|z_y|²/2] + λ Σ_y |M_y|²/2, descended by equation (4). The defaults satisfy
/// Assumption C.3, λ/ω = α/β = N/C = 1. Smaller decay comes nearer to the frame's optimum but takes 1/(α ω)
/// longer.
struct Equation3Settings {
  double feature_decay = 0.1;     ///< ω
  double classifier_decay = 0.1;  ///< λ
  double feature_lr = 0.1;        ///< α
  double classifier_lr = 0.1;     ///< β
  int max_steps = 20000;
  double gradient_tolerance = 1e-6;  ///< stop when |∇L| (Frobenius, both parts) is below
};

/// Where a descent ended.
struct DescentResult {
  Eigen::MatrixXd classifier;  ///< M [d,C]
  Eigen::MatrixXd features;    ///< Z [d,C]
  double cross_entropy = 0.0;  ///< mean over classes, nats
  double gradient_norm = 0.0;  ///< of the whole loss, Frobenius, after the last step
  int steps = 0;

  /// Both went to zero: the norm penalty has won and the frame is gone (cross-entropy log C).
  bool is_collapsed() const;
};

/// Starts from independent N(0, 1/d) entries. Deterministic.
DescentResult descend_equation3(int dim, int classes, const RandomStream& stream,
                                const Equation3Settings& settings);

/// The paper's Code 1 exactly as printed (but for the random numbers and double precision): torch.nn.Linear's
/// initial weights, mean cross-entropy + 0.1·(‖M‖_F + ‖Z‖_F), the norms not squared, gradient descent with
/// step 0.1. Its frame is Z, unnormalised. Collapses to zero for many classes: near zero the penalty pulls
/// with 0.1, the mean cross-entropy pushes with ‖Z‖_F/C only.
DescentResult descend_code1(int dim, int classes, const RandomStream& stream, int steps);

}  // namespace gnc
