#pragma once
/// What the gradient tests of the ops share: the oracle in double, random points, and steps with their
/// tolerances.

#include <gtest/gtest.h>

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/backend.h"
#include "engine/random.h"
#include "tests/support/backends.h"
#include "tests/support/gradient_check.h"

namespace gnc::tests {

inline Backend& oracle() { return backend_named("reference"); }

/// Uniform in [low, high): a pure function of the name.
inline std::vector<double> random_doubles(std::string_view name, const Shape& shape, double low = -1,
                                          double high = 1) {
  const RandomStream stream(7, name);
  std::vector<double> values(static_cast<std::size_t>(shape.elements() * shape.runs()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = low + (high - low) * stream.uniform(i);
  return values;
}

inline double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// A loss linear in the varied operand: the two-point formula is exact, and its rounding, about 1e-16 times
/// the loss (at most a few hundred) over the step, stays below 1e-12.
inline constexpr GradientCheck kBilinear = {
    .difference = Difference::kTwoPoint, .step = 0.5, .tolerance = {.absolute = 1e-12, .relative = 1e-12}};

/// A smooth loss of scale 1: the four-point formula is wrong by step⁴·f⁽⁵⁾/30, about 1e-12 times f⁽⁵⁾ (here
/// up to a few thousand), and rounds to about 1e-15 / step.
inline constexpr GradientCheck kCurved = {
    .difference = Difference::kFourPoint, .step = 1e-3, .tolerance = {.absolute = 1e-8, .relative = 1e-7}};

inline void expect_gradient(const std::function<double(std::span<const double>)>& loss,
                            std::span<const double> point, std::span<const double> analytic,
                            const GradientCheck& check) {
  const Comparison comparison = check_gradient(loss, point, analytic, check);
  EXPECT_TRUE(comparison) << comparison.message;
}

}  // namespace gnc::tests
