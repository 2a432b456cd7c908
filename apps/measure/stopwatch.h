#pragma once
/// Time and its spread.

#include <chrono>
#include <cstdint>
#include <vector>

namespace gnc {

/// Nanoseconds by a clock that never goes back.
inline std::int64_t nanoseconds_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
inline double seconds_now() { return 1e-9 * static_cast<double>(nanoseconds_now()); }

/// The middle value (of an even number the upper one). Throws Error for none.
double median_of(std::vector<double> values);
/// Median absolute deviation from the median.
double deviation_of(const std::vector<double>& values);

}  // namespace gnc
