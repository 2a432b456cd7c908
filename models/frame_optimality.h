#pragma once
/// First-order optimality of a frame: the pairs at the maximum, and forces along them that balance.
///
/// min t subject to s_ij ⟨x_i, x_j⟩ <= t, |x_i| = 1, with s_ij = 1 (signed) or the sign of the product
/// (absolute). At an optimum there are multipliers λ_ij >= 0 of sum 1 on the active pairs such that for every
/// i the force Σ_j λ_ij s_ij x_j points along x_i.

#include <Eigen/Dense>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/frame.h"

namespace gnc {

/// Products closer than this count as equal.
inline constexpr double kActiveTolerance = 1e-7;

/// Where the multipliers of a residual are from.
enum class Multipliers : std::uint8_t {
  kEqual,         ///< all the same, which balances
  kLeastSquares,  ///< those of the smallest residual
  kFeasible,      ///< some, which need not be the best: the residual is an upper bound
  kNotComputed,   ///< too many active pairs
};

struct FrameOptimality {
  std::int64_t active_pairs = 0;  ///< i<j with a correlation within 1e-7 of the maximum
  std::vector<int> rattlers;      ///< vectors without an active pair: free to move
  std::vector<int> block_sizes;   ///< of the parts orthogonal to each other (to 1e-7), the largest first
  Multipliers multipliers = Multipliers::kNotComputed;
  /// √Σ_i |tangential force on x_i|² for the multipliers; 0 at an optimum, and at any other
  /// stationary point; √2 at most (for a single pair at
  /// 90°), and the smaller the more pairs share the load. Empty when not computed.
  std::optional<double> residual;
  std::int64_t stressed_pairs = 0;  ///< active pairs with a positive multiplier (1e-6 of the largest)
  std::string not_computed;         ///< why there is no residual, or nothing at all
};

/// Measures unit vectors [d,C]. Least squares up to 3000 active pairs that equal multipliers do not balance
/// (seconds there), nothing above C²d = 4e10 or where two
/// vectors coincide: `not_computed` then says so. O(C²d).
FrameOptimality measure_optimality(const Eigen::MatrixXd& unit, FrameObjective objective, double value);

}  // namespace gnc
