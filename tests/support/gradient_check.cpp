#include "tests/support/gradient_check.h"

#include <algorithm>

namespace gnc::tests {

double numerical_derivative(const std::function<double(std::span<const double>)>& loss,
                            std::span<const double> point, std::size_t i, Difference difference,
                            double step) {
  std::vector<double> moved(point.begin(), point.end());
  const auto loss_at = [&](double distance) {
    moved[i] = point[i] + distance;
    return loss(moved);
  };
  if (difference == Difference::kTwoPoint) return (loss_at(step) - loss_at(-step)) / (2 * step);
  return (loss_at(-2 * step) - 8 * loss_at(-step) + 8 * loss_at(step) - loss_at(2 * step)) / (12 * step);
}

Comparison check_gradient(const std::function<double(std::span<const double>)>& loss,
                          std::span<const double> point, std::span<const double> analytic,
                          const GradientCheck& check) {
  if (analytic.size() != point.size())
    return {false, fmt::format("a gradient of {} numbers for {} coordinates", analytic.size(), point.size())};
  const std::size_t tried = std::min(point.size(), static_cast<std::size_t>(check.coordinates));
  const TensorSpec spec{.shape = {static_cast<int>(tried)}, .dtype = DType::kF64};
  HostTensor expected(spec), actual(spec);
  for (std::size_t k = 0; k < tried; ++k) {
    const std::size_t i = k * point.size() / tried;
    expected.values<double>()[k] = numerical_derivative(loss, point, i, check.difference, check.step);
    actual.values<double>()[k] = analytic[i];
  }
  return compare(expected, actual, check.tolerance);
}

}  // namespace gnc::tests
