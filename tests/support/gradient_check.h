#pragma once
/// Analytic gradients against central differences, in double.

#include <functional>
#include <span>
#include <vector>

#include "tests/support/compare.h"

namespace gnc::tests {

/// How the derivative along one coordinate is estimated.
enum class Difference : std::uint8_t {
  /// (f(x+h) − f(x−h)) / 2h: exact but for rounding where f is a polynomial of degree 2 at most in that
  /// coordinate.
  kTwoPoint,
  /// (f(x−2h) − 8 f(x−h) + 8 f(x+h) − f(x+2h)) / 12h: error h⁴·f⁽⁵⁾/30.
  kFourPoint,
};

struct GradientCheck {
  Difference difference = Difference::kTwoPoint;
  double step = 0.5;
  Tolerance tolerance;
  /// At most so many coordinates are tried, spread evenly over the vector.
  int coordinates = 200;
};

/// The numerical derivative of `loss` at `point` along coordinate `i`.
double numerical_derivative(const std::function<double(std::span<const double>)>& loss,
                            std::span<const double> point, std::size_t i, Difference difference, double step);

/// Compares `analytic`, the gradient of `loss` at `point`, coordinate by coordinate.
Comparison check_gradient(const std::function<double(std::span<const double>)>& loss,
                          std::span<const double> point, std::span<const double> analytic,
                          const GradientCheck& check);

}  // namespace gnc::tests
