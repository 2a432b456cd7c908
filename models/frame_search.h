#pragma once
/// Descent for the minimized maximal correlation: one start of the search that `generate_frame` repeats.

#include <Eigen/Dense>

#include "engine/random.h"
#include "models/frame.h"

namespace gnc {

/// A surrogate of the largest (absolute) inner product of unit vectors u_i = x_i/|x_i|, smooth in the matrix
/// x [d,C]: F(x) = (1/β) log Σ_{i≠j} w_ij exp(β g_ij), g = UᵀU; with |objective| absolute, exp(β g) + exp(-β
/// g) in place of exp(β g). Between max g and max g + log(C²)/β when all weights are 1. Scale invariant in
/// every column, so that no constraint is needed: the gradient is tangent to the sphere.
class CorrelationSurrogate {
 public:
  CorrelationSurrogate(FrameObjective objective, Eigen::Index dim, Eigen::Index classes);

  /// F and its gradient [d,C]. Columns of x must not be zero.
  double evaluate(const Eigen::MatrixXd& x, Eigen::MatrixXd& gradient);
  void set_sharpness(double beta) { beta_ = beta; }
  double sharpness() const { return beta_; }
  /// The exponential multiplier step: w_ij <- w_ij exp(β g_ij) / Σ at the last evaluated point. Its fixed
  /// point satisfies the Karush-Kuhn-Tucker conditions of min max g at finite β.
  void update_multipliers();
  /// Largest (absolute) inner product at the last evaluated point.
  double largest() const;
  /// `largest()` minus the mean inner product under the multipliers: 0 exactly where complementarity holds.
  double complementarity_gap() const;
  /// log w_ij [C,C]; all 0 at first. With the multipliers of one sharpness another can go on.
  const Eigen::ArrayXXd& log_weights() const { return log_weights_; }
  void set_log_weights(const Eigen::ArrayXXd& log_weights) { log_weights_ = log_weights; }

 private:
  FrameObjective objective_;
  double beta_ = 1.0;
  Eigen::MatrixXd unit_;         // [d,C] normalised columns
  Eigen::RowVectorXd norms_;     // [C]
  Eigen::ArrayXXd gram_;         // [C,C]; the diagonal never counts
  Eigen::ArrayXXd log_weights_;  // [C,C]; the diagonal is so low that its exponential is 0
  Eigen::ArrayXXd positive_;     // [C,C] share of exp(β g) in the sum
  Eigen::ArrayXXd negative_;     // [C,C] share of exp(-β g); empty for the signed objective
  Eigen::MatrixXd pull_;         // [C,C] dF/dg
};

/// Where a descent stands.
struct SearchPoint {
  Eigen::MatrixXd vectors;  ///< [d,C], unit columns
  double value = 0.0;       ///< largest (absolute) inner product
  double estimate = 0.0;    ///< of the local optimum's value: the mean inner product under the multipliers
  int iterations = 0;       ///< of L-BFGS so far
};

/// Descends from `start` [d,C] with the sharpness rising from `first_sharpness` by factors of 4 to 4096. Ends
/// near a local optimum of the true maximum: its value lies about log(C)/4096 above. Deterministic.
SearchPoint descend_correlation(const Eigen::MatrixXd& start, FrameObjective objective,
                                double first_sharpness, int iterations_per_stage);

/// How far a refinement goes.
struct RefineLimits {
  int iterations_per_round = 1000;  ///< L-BFGS iterations between two multiplier steps
  double highest_sharpness =
      1 << 20;  ///< where multiplier steps lead away, the error ends at about log(C)/this
};

/// Goes on to the local optimum itself, to 1e-12 where it is regular, by multiplier steps; where those lead
/// away (the Lagrangian is not convex enough at this sharpness) with a greater sharpness from the best point.
/// Never worse than `point`. Deterministic.
SearchPoint refine_correlation(const SearchPoint& point, FrameObjective objective,
                               const RefineLimits& limits);

/// The first sharpness of a restart, drawn from a wide range: one low value for all makes every start end in
/// the same wrong optimum at some sizes (signed (3,14) and (5,21), lines (4,8)), a high one hits less often
/// at others.
double draw_sharpness(double uniform, int dim);

}  // namespace gnc
