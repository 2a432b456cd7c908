#include "models/frame_certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gnc {
namespace {

/// Within this of the best value known, a frame equals it: where optima are not isolated, searches end there.
constexpr double kEquals = 1e-7;

/// Rounding of a largest correlation, and what counts as attaining a bound: 1e-9, but near 1 a small part of
/// the squared distance 2(1 − t), which is all that there is to tell frames apart.
double rounding_of(double bound) { return std::min(1e-9, 1e-5 * (1.0 - bound) + 1e-15); }

FrameStatus compare(const FrameCertificate& certificate) {
  const double value = certificate.value;
  const double bound = certificate.bounds.front().value;
  if (value <= bound + rounding_of(bound)) return FrameStatus::kMeetsBound;
  if (!certificate.known) return FrameStatus::kUnknown;
  const KnownCorrelation& known = *certificate.known;
  const double rounding = known.accuracy + rounding_of(known.value);
  if (known.is_exact)
    return value > known.value + rounding ? FrameStatus::kMissesKnown : FrameStatus::kProvedValue;
  if (value > known.value + std::max(rounding, kEquals)) return FrameStatus::kMissesKnown;
  return value < known.value - std::max(rounding, kEquals) ? FrameStatus::kBeatsKnown
                                                           : FrameStatus::kEqualsKnown;
}

/// Simplices, cross-polytopes and polygons are unique. Between, orthogonal parts can be chosen in many ways.
std::optional<bool> is_unique_optimum(int d, int classes, FrameObjective objective) {
  if (objective == FrameObjective::kSigned) {
    if (classes <= d + 1 || classes == 2 * d) return true;
    if (classes < 2 * d) return false;
  } else if (classes <= d + 1) {
    return true;
  }
  return d == 2 ? std::optional(true) : std::nullopt;
}

}  // namespace

std::string_view to_string(FrameStatus status) {
  constexpr std::string_view kNames[] = {"meets_bound", "proved_value", "equals_known",
                                         "beats_known", "misses_known", "unknown"};
  return kNames[static_cast<std::size_t>(status)];
}

FrameCertificate certify_frame(const Frame& frame, const FrameGeometry& geometry, FrameObjective objective) {
  // Below, logits are below 0.01 and a classifier says nothing: what a collapsed descent leaves.
  constexpr double kVanishing = 0.1;
  FrameCertificate certificate;
  certificate.objective = objective;
  certificate.value = correlation(geometry, objective);
  certificate.bounds = frame_bounds(frame.dim(), frame.classes(), objective);
  certificate.known = known_correlation(frame.dim(), frame.classes(), objective);
  certificate.status = compare(certificate);
  certificate.is_unique = is_unique_optimum(frame.dim(), frame.classes(), objective);
  certificate.has_vanishing_norms = geometry.min_norm < kVanishing;
  certificate.optimality = measure_optimality(directions(frame), objective, certificate.value);
  return certificate;
}

std::string verdict(const FrameCertificate& certificate) {
  const double difference = certificate.known ? certificate.value - certificate.known->value : 0.0;
  switch (certificate.status) {
    case FrameStatus::kMeetsBound:
      return fmt::format("optimal (meets the {} bound)", certificate.bounds.front().name);
    case FrameStatus::kProvedValue:
      return "optimal (proved value)";
    case FrameStatus::kEqualsKnown:
      return "equals the best known value";
    case FrameStatus::kBeatsKnown:
      return fmt::format("{} by {:.3g}",
                         certificate.known->is_soft ? "below the best that an earlier search has seen,"
                                                    : "beats the best known value",
                         -difference);
    case FrameStatus::kMissesKnown:
      return fmt::format("NOT optimal: misses the {} by {:.3g}",
                         certificate.known->is_exact ? "optimum" : "best known value", difference);
    case FrameStatus::kUnknown:
      break;
  }
  return "no known value at this size";
}

}  // namespace gnc
