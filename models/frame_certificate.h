#pragma once
/// How good a frame is, and how that is known.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/frame_bounds.h"
#include "models/frame_geometry.h"
#include "models/frame_known.h"
#include "models/frame_optimality.h"

namespace gnc {

/// How a frame's largest correlation compares with bounds and known values; equal means to 1e-9 and the
/// digits of the source.
enum class FrameStatus : std::uint8_t {
  kMeetsBound,   ///< optimal: equals a lower bound
  kProvedValue,  ///< optimal: equals a value that was proved to be the least
  kEqualsKnown,  ///< as good as the best known
  kBeatsKnown,   ///< better than the best known
  kMissesKnown,  ///< worse than the best known or the proved optimum
  kUnknown,      ///< nothing is known at this size but bounds
};

std::string_view to_string(FrameStatus status);

struct FrameCertificate {
  FrameObjective objective = FrameObjective::kSigned;
  double value = 0.0;              ///< the largest correlation
  std::vector<FrameBound> bounds;  ///< of the objective, the strongest first
  std::optional<KnownCorrelation> known;
  FrameStatus status = FrameStatus::kUnknown;
  /// Is the optimum at this size unique up to rotation and order? Empty where that is not known here.
  std::optional<bool> is_unique;
  bool has_vanishing_norms =
      false;  ///< a norm below 0.1, as after a descent that collapsed (equation (3), Code 1)
  FrameOptimality optimality;

  double gap() const { return value - bounds.front().value; }
};

/// Certifies a frame by its measurements. Seconds at most (frame_optimality.h).
FrameCertificate certify_frame(const Frame& frame, const FrameGeometry& geometry, FrameObjective objective);

/// The status in words: "optimal (meets the rankin bound)", "misses the best known value by 1.2e-03", …
std::string verdict(const FrameCertificate& certificate);

}  // namespace gnc
