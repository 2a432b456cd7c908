#pragma once
/// The smallest largest correlation that is known at a size: proved, published or found.

#include <optional>
#include <string_view>

#include "models/frame.h"

namespace gnc {

/// The best value known at one (d, C).
struct KnownCorrelation {
  double value = 0.0;
  double accuracy = 0.0;    ///< |value - what the source means| at most, by its printed digits
  bool is_exact = false;    ///< proved: no frame has less
  bool is_soft = false;     ///< the best that was seen, by a search that others may beat
  std::string_view source;  ///< who says so; static
};

/// The best value known for C unit vectors of R^d: by a theorem where a bound is attained (frame_bounds.h),
/// else by a table of published and computed values, or between two of its sizes that share a value. Empty
/// where none says anything. d >= 1, C >= 2.
std::optional<KnownCorrelation> known_correlation(int dim, int classes, FrameObjective objective);

}  // namespace gnc
