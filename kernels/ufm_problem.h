#pragma once
/// What the launchers of the unconstrained feature model share.

#include <cstdint>

namespace gnc::kernels {

struct UfmExtents {
  int samples;  ///< N
  int dim;      ///< d
  int classes;  ///< C
  int runs;
};

/// What keeps norms in check: engine/ops/ufm_descent.h.
enum class UfmPenaltyKind : std::uint8_t { kSquared, kNorm, kSphere };

/// Of one iterate, features or classifier.
template <class T>
struct UfmRates {
  T rate;   ///< α or β
  T decay;  ///< ω or λ
};

}  // namespace gnc::kernels
