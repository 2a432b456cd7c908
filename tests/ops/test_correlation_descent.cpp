/// Descent for the minimized maximal correlation: what the vectors are, known optima, errors. Cases:
/// cases/correlation_descent.h.

#include "engine/ops/correlation_descent.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

/// C·d numbers with nothing in common.
std::vector<double> start(int classes, int dim) {
  std::vector<double> values(static_cast<std::size_t>(classes * dim));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = std::sin(1.0 + 2.3 * static_cast<double>(i * i));
  return values;
}

TEST(CorrelationDescent, Leaves_Unit_Vectors_Of_The_Value_It_Gives) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    for (const FrameObjective objective : {FrameObjective::kSigned, FrameObjective::kAbsolute}) {
      Workbench bench(backend);
      constexpr int kClasses = 5, kDim = 3;
      const Tensor vectors = bench.tensor({kClasses, kDim}, start(kClasses, kDim)), value = bench.empty({1});
      bench.run(CorrelationDescent{.vectors = vectors,
                                   .first_sharpness = bench.tensor({1}, {16}),
                                   .values = value,
                                   .objective = objective,
                                   .last_sharpness = 64,
                                   .iterations_per_stage = 30});
      const std::vector<double> x = bench.values(vectors);
      double largest = -1;
      for (int i = 0; i < kClasses; ++i) {
        for (int j = 0; j <= i; ++j) {
          double product = 0;
          for (int k = 0; k < kDim; ++k)
            product += x[std::size_t(i * kDim + k)] * x[std::size_t(j * kDim + k)];
          // In fp32 a norm, and a product of rows, is off by a few 2⁻²⁴.
          if (i == j) {
            EXPECT_NEAR(product, 1.0, 1e-6);
          } else {
            largest = std::max(largest, objective == FrameObjective::kSigned ? product : std::abs(product));
          }
        }
      }
      EXPECT_NEAR(bench.values(value)[0], largest, 1e-6);
    }
  });
}

TEST(CorrelationDescent, Finds_The_Square_And_The_Five_Lines_Of_The_Pentagon) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const auto reached = [&](int classes, FrameObjective objective) {
      const Tensor vectors = bench.tensor({classes, 2}, start(classes, 2)), value = bench.empty({1});
      bench.run(CorrelationDescent{.vectors = vectors,
                                   .first_sharpness = bench.tensor({1}, {16}),
                                   .values = value,
                                   .objective = objective,
                                   .last_sharpness = 256,
                                   .iterations_per_stage = 100});
      return bench.values(value)[0];
    };
    // C·1e-5/β = 2e-7 for where the descent stops (cases/correlation_descent.h), and fp32's rounding.
    EXPECT_NEAR(reached(4, FrameObjective::kSigned), 0.0, 1e-6);
    EXPECT_NEAR(reached(5, FrameObjective::kAbsolute), std::cos(std::numbers::pi / 5), 1e-6);
  });
}

TEST(CorrelationDescent, Names_What_Does_Not_Fit) {
  Workbench bench(backend_named("reference"));
  const Tensor vectors = bench.empty({5, 3}), one = bench.empty({1});
  expect_error<ShapeError>(
      [&] { bench.run(CorrelationDescent{.vectors = vectors, .first_sharpness = vectors, .values = one}); },
      {"CorrelationDescent", "first_sharpness is [5,3]", "must be [1]"});
  expect_error<ShapeError>(
      [&] {
        bench.run(CorrelationDescent{
            .vectors = vectors, .first_sharpness = one, .values = one, .iterations_per_stage = 0});
      },
      {"CorrelationDescent", "0 iterations"});
}

TEST(CorrelationDescent, Says_What_A_Block_Has_No_Room_For) {
  Workbench bench(backend_named("simt"));
  const Tensor vectors = bench.tensor({100, 64}, start(100, 64)), one = bench.tensor({1}, {64});
  expect_error<BackendError>(
      [&] { bench.run(CorrelationDescent{.vectors = vectors, .first_sharpness = one, .values = one}); },
      {"CorrelationDescent", "100 vectors of 64", "96 KB", "device cpu"});
}

}  // namespace
}  // namespace gnc::tests
