/// Rows on a sphere: by hand, rows without a direction, gradient, errors. Cases: cases/normalize_rows.h.

#include "engine/ops/normalize_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;
using Values = std::span<const double>;

TEST(NormalizeRows, Puts_Rows_On_The_Sphere_And_Gradients_Into_Its_Tangent) {
  // 3-4-5: u = (0.6, 0.8), g = (1, 0): g − u⟨u,g⟩ = (0.64, −0.48), times norm/‖x‖ = 10/5.
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor x = bench.tensor({1, 2}, {3, 4}), y = bench.empty({1, 2}), x_grad = bench.empty({1, 2});
    bench.run(NormalizeRowsForward{.x = x, .y = y, .norm = 10});
    bench.run(
        NormalizeRowsBackward{.x = x, .y_grad = bench.tensor({1, 2}, {1, 0}), .x_grad = x_grad, .norm = 10});
    EXPECT_NEAR(bench.values(y)[0], 6, 6 * 4 * kUnitRoundoff);
    EXPECT_NEAR(bench.values(y)[1], 8, 8 * 4 * kUnitRoundoff);
    EXPECT_NEAR(bench.values(x_grad)[0], 1.28, 16 * kUnitRoundoff);
    EXPECT_NEAR(bench.values(x_grad)[1], -0.96, 16 * kUnitRoundoff);
  });
}

TEST(NormalizeRows, Leaves_Zero_Where_There_Is_No_Direction) {
  // Row 0 is zero, row 1 as good as (2e-13), row 2 is short but has a direction.
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor x = bench.tensor({3, 2}, {0, 0, 2e-13, 0, 0, 1e-6});
    const Tensor y = bench.empty({3, 2}), x_grad = bench.empty({3, 2});
    bench.run(NormalizeRowsForward{.x = x, .y = y});
    bench.run(
        NormalizeRowsBackward{.x = x, .y_grad = bench.tensor({3, 2}, {1, 2, 3, 4, 5, 6}), .x_grad = x_grad});
    const Doubles unit = bench.values(y), gradient = bench.values(x_grad);
    for (const std::size_t i : {0, 1, 2, 3, 4}) EXPECT_EQ(unit[i], 0) << i;
    EXPECT_NEAR(unit[5], 1, 4 * kUnitRoundoff);
    for (const std::size_t i : {0, 1, 2, 3}) EXPECT_EQ(gradient[i], 0) << i;
    EXPECT_NEAR(gradient[4], 5e6, 5e6 * 6 * kUnitRoundoff);
    EXPECT_NEAR(gradient[5], 0, 6e6 * 6 * kUnitRoundoff);
  });
}

TEST(NormalizeRows, Tell_Broken_Rows) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const double infinity = std::numeric_limits<double>::infinity();
    const Tensor x = bench.tensor({3, 2}, {NAN, 1, infinity, 1, 1, 0}), y = bench.empty({3, 2});
    bench.run(NormalizeRowsForward{.x = x, .y = y});
    const Doubles values = bench.values(y);
    for (const std::size_t i : {0, 1, 2, 3}) EXPECT_TRUE(std::isnan(values[i])) << i;
    EXPECT_EQ(values[4], 1);
    EXPECT_EQ(values[5], 0);
  });
}

TEST(NormalizeRows, Backward_Is_The_Gradient_Of_Forward) {
  const Shape shape{3, 4};
  const Doubles x = random_doubles("x", shape, 0.3, 1), weights = random_doubles("weights", shape);
  constexpr float kNorm = 2.5F;
  const auto loss = [&](Values at) {
    Workbench bench(oracle(), DType::kF64);
    const Tensor y = bench.empty(shape);
    bench.run(NormalizeRowsForward{.x = bench.tensor(shape, at), .y = y, .norm = kNorm});
    return dot(bench.values(y), weights);
  };
  Workbench bench(oracle(), DType::kF64);
  const Tensor x_grad = bench.empty(shape);
  bench.run(NormalizeRowsBackward{
      .x = bench.tensor(shape, x), .y_grad = bench.tensor(shape, weights), .x_grad = x_grad, .norm = kNorm});
  expect_gradient(loss, x, bench.values(x_grad), kCurved);
}

TEST(NormalizeRows, Names_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const Tensor x = bench.empty({4, 3});
  expect_error<ShapeError>(
      [&] {
        bench.run(NormalizeRowsForward{.x = x, .y = bench.empty({4, 2})});
      },
      {"NormalizeRowsForward", "y is [4,2]", "must be [4,3]"});
  expect_error<ShapeError>([&] { bench.run(NormalizeRowsForward{.x = x, .y = x, .norm = 0}); },
                           {"NormalizeRowsForward", "norm 0"});
  expect_error<ShapeError>(
      [&] {
        bench.run(NormalizeRowsBackward{.x = x, .y_grad = bench.empty({3, 3}), .x_grad = x});
      },
      {"NormalizeRowsBackward", "y_grad is [3,3]", "must be [4,3]"});
}

}  // namespace
}  // namespace gnc::tests
