#include "apps/measure/stopwatch.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace gnc {

double median_of(std::vector<double> values) {
  require<Error>(!values.empty(), "no value has no median");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double deviation_of(const std::vector<double>& values) {
  const double median = median_of(values);
  std::vector<double> deviations;
  deviations.reserve(values.size());
  for (const double value : values) deviations.push_back(std::fabs(value - median));
  return median_of(std::move(deviations));
}

}  // namespace gnc
