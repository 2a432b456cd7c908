#include "engine/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"

namespace gnc {

SampleStatistics summarize(std::span<const double> values) {
  require(!values.empty(), "statistics: no values; expected at least one");
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    require(std::isfinite(values[i]), "statistics: value {} of {} is {}; expected a finite number", i + 1,
            values.size(), values[i]);
    sum += values[i];
  }
  const auto [minimum, maximum] = std::minmax_element(values.begin(), values.end());
  // The quotient can leave the range of the values by a rounding; equal values shall have exactly no
  // deviation.
  const double mean = std::clamp(sum / count, *minimum, *maximum);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {.count = static_cast<int>(values.size()),
          .mean = mean,
          .population_deviation = std::sqrt(squares / count),
          .sample_deviation =
              values.size() > 1 ? std::sqrt(squares / (count - 1)) : std::numeric_limits<double>::quiet_NaN(),
          .minimum = *minimum,
          .maximum = *maximum};
}

}  // namespace gnc
