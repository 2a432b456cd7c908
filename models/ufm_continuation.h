#pragma once
/// Minima of equation (3) themselves, followed as the decay goes to 0, and the hard-margin problem at the end
/// of the way. Gradient descent needs 1/(α ω) steps for what is found here in seconds.

#include <Eigen/Dense>

#include <cstdint>
#include <vector>

#include "engine/random.h"

namespace gnc {

/// A minimum with one feature a class. That is no restriction: for a fixed M equation (3) is strictly convex
/// in every z_{y,i}, and equal for the samples of a class, so that at any stationary point they coincide
/// (NC1).
struct UfmMinimum {
  Eigen::MatrixXd classifier = {};  ///< M [d,C]
  Eigen::MatrixXd features = {};    ///< z̄ [d,C]
  double feature_decay = 0;         ///< ω; 0: the hard-margin problem
  double loss = 0;      ///< of equation (3) per sample of a class, n̄ = N/C; of the hard margin its value
  double residual = 0;  ///< largest entry of the gradient, or of the KKT conditions
  int iterations = 0;   ///< of L-BFGS, all together

  /// min over i≠j of γ_ij = ⟨M_i − M_j, z̄_i⟩.
  double smallest_margin() const;
  /// Σ_y (|M_y|² + r_y|z̄_y|²)/2 over the smallest margin: what a unit of margin costs. C/(1−μ) for Z = M of
  /// one norm and largest inner product μ; the minimum's falls to the hard-margin value as ω → 0. NaN unless
  /// the classes are separated. `weights` r_y = n_y/n̄.
  double cost_of_margin(const Eigen::VectorXd& weights) const;
};

/// Follows a minimum of equation (3), λ/ω = N/C as Assumption C.3 has it, from a random start through falling
/// decays ω, each from the minimum of the one before. `class_sizes` n_y >= 1. `decays` > 0, falling.
/// Deterministic; a start may lead to another local minimum than the next one's.
std::vector<UfmMinimum> follow_minimum(int dim, const std::vector<int>& class_sizes,
                                       const RandomStream& stream, const std::vector<double>& decays);

/// The hard-margin problem, the limit of equation (3) for λ, ω → 0:
///   minimise Σ_y (|M_y|² + r_y|z_y|²)/2  subject to  ⟨M_y − M_y', z_y⟩ >= 1 for all y ≠ y',
/// by the method of multipliers with exponential penalties, from `start`, whose margins are scaled to 1
/// first. A local minimum: the problem is not convex. Throws Error when the start separates nothing.
UfmMinimum minimize_hard_margin(const UfmMinimum& start, const std::vector<int>& class_sizes);

/// A feasible point of the hard-margin problem for d+2 <= C < 2d and equal class sizes, with the value
///   C − 1 + √(2(C−d)/C),
/// below the C that features and classifier need who are one frame of one norm (Z = M, |M_y| = ρ: margins are
/// ρ²(1 − ⟨m_i,m_j⟩), and the largest inner product is 0 at best, so that ρ² >= 1). So the optimum of weight
/// decay is no Grassmannian frame at these sizes; NC2 and NC3 of Theorem 3.2 do not hold there.
/// C−d antipodal pairs M = ±e_k + a·u, z = ±e_k, and 2d−C vectors M = −b·u + c·w_i, z = −p·u + c·w_i, where
/// w_i is a simplex; the common direction u gives the pairs' spare margin (2 where 1 is asked for) to the
/// others. Throws UsageError for another size.
UfmMinimum near_antipodal_point(int dim, int classes);

}  // namespace gnc
