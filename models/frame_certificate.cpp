#include "models/frame_certificate.h"

#include <fmt/format.h>

#include <cmath>

namespace gnc {
namespace {

constexpr double kSame = 1e-9;

FrameStatus compare(const FrameCertificate& certificate) {
  const double value = certificate.value;
  if (value <= certificate.bounds.front().value + kSame) return FrameStatus::kMeetsBound;
  if (!certificate.known) return FrameStatus::kUnknown;
  const KnownCorrelation& known = *certificate.known;
  const double tolerance = known.accuracy + kSame;
  if (value > known.value + tolerance) return FrameStatus::kMissesKnown;
  if (known.is_exact) return FrameStatus::kProvedValue;
  return value < known.value - tolerance ? FrameStatus::kBeatsKnown : FrameStatus::kEqualsKnown;
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
      return fmt::format("beats the best known value by {:.3g}", -difference);
    case FrameStatus::kMissesKnown:
      return fmt::format("NOT optimal: misses the {} by {:.3g}",
                         certificate.known->is_exact ? "optimum" : "best known value", difference);
    case FrameStatus::kUnknown:
      break;
  }
  return "no known value at this size";
}

}  // namespace gnc
