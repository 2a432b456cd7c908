#pragma once
/// Are two frames the same up to a rotation, an order of their vectors, or both?

#include <optional>
#include <vector>

#include "models/frame.h"

namespace gnc {

/// The paper's Definition 4.1, for frames A and B of one size. Lengths are relative to the largest norm of A.
struct FrameEquivalence {
  bool is_type1 = false;       ///< B = R·A with R orthogonal: the Gram matrices are equal
  bool is_type2 = false;       ///< B = A·P with P a permutation
  double gram_distance = 0.0;  ///< largest |entry| of AᵀA - BᵀB over the largest squared norm of A
  /// min over orthogonal R of |R·A - B|_F / |A|_F, and over rotations (det R = +1) only.
  double procrustes_distance = 0.0;
  double procrustes_rotation_distance = 0.0;
  /// Is B = R·A·P for some R and P? Empty when the search gave up (it looks at a bounded number of partial
  /// matchings).
  std::optional<bool> is_equivalent;
  /// The P found: column y of B matches column permutation[y] of A. Empty without one.
  std::vector<int> permutation;
};

/// Compares entries and Gram entries with tolerance `tolerance` relative to the largest norm. Throws Error
/// unless the shapes agree.
FrameEquivalence compare_frames(const Frame& a, const Frame& b, double tolerance = 1e-8);

}  // namespace gnc
