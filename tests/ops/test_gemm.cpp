/// Matrix product: by hand, gradients, errors. Cases: cases/gemm.h.

#include "engine/ops/gemm.h"

#include <gtest/gtest.h>

#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;

TEST(Gemm, Multiplies_As_By_Hand_Whatever_Is_Transposed) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor a = bench.tensor({2, 3}, {1, 2, 3, 4, 5, 6}),
                 a_flipped = bench.tensor({3, 2}, {1, 4, 2, 5, 3, 6});
    const Tensor b = bench.tensor({3, 2}, {7, 8, 9, 10, 11, 12});
    const Tensor b_flipped = bench.tensor({2, 3}, {7, 9, 11, 8, 10, 12});
    for (const Transpose transpose_a : {Transpose::kNo, Transpose::kYes})
      for (const Transpose transpose_b : {Transpose::kNo, Transpose::kYes}) {
        const Tensor c = bench.empty({2, 2});
        bench.run(Gemm{.a = transpose_a == Transpose::kYes ? a_flipped : a,
                       .b = transpose_b == Transpose::kYes ? b_flipped : b,
                       .c = c,
                       .transpose_a = transpose_a,
                       .transpose_b = transpose_b});
        EXPECT_EQ(bench.values(c), (Doubles{58, 64, 139, 154}));
      }
  });
}

TEST(Gemm, Of_An_Empty_Sum_Is_Zero) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor c = bench.empty({2, 3});
    bench.run(Gemm{.a = bench.empty({2, 0}), .b = bench.empty({0, 3}), .c = c});
    EXPECT_EQ(bench.values(c), Doubles(6, 0.0));
  });
}

TEST(Gemm, Gradients_Are_The_Products_That_The_Linear_Layer_Uses) {
  // c = a·bᵀ is the linear layer; a_grad = c_grad·b and b_grad = c_gradᵀ·a.
  const Shape a_shape{5, 7}, b_shape{3, 7}, c_shape{5, 3};
  const Doubles a = random_doubles("a", a_shape), b = random_doubles("b", b_shape);
  const Doubles probe = random_doubles("probe", c_shape);
  const auto loss = [&](std::span<const double> a_values, std::span<const double> b_values) {
    Workbench bench(oracle(), DType::kF64);
    const Tensor c = bench.empty(c_shape);
    bench.run(Gemm{.a = bench.tensor(a_shape, a_values),
                   .b = bench.tensor(b_shape, b_values),
                   .c = c,
                   .transpose_b = Transpose::kYes});
    return dot(bench.values(c), probe);
  };
  Workbench bench(oracle(), DType::kF64);
  const Tensor a_grad = bench.empty(a_shape), b_grad = bench.empty(b_shape);
  bench.run(Gemm{.a = bench.tensor(c_shape, probe), .b = bench.tensor(b_shape, b), .c = a_grad});
  bench.run(Gemm{.a = bench.tensor(c_shape, probe),
                 .b = bench.tensor(a_shape, a),
                 .c = b_grad,
                 .transpose_a = Transpose::kYes});
  expect_gradient([&](std::span<const double> values) { return loss(values, b); }, a, bench.values(a_grad),
                  kBilinear);
  expect_gradient([&](std::span<const double> values) { return loss(a, values); }, b, bench.values(b_grad),
                  kBilinear);
}

TEST(Gemm, Names_The_Operand_And_Both_Shapes_When_They_Do_Not_Fit) {
  Workbench bench(oracle());
  const Tensor a = bench.empty({2, 3}), b = bench.empty({4, 5}), c = bench.empty({2, 5});
  expect_error<ShapeError>([&] { bench.run(Gemm{.a = a, .b = b, .c = c}); }, {"Gemm", "b", "[4,5]", "[3,5]"});
  expect_error<ShapeError>([&] { bench.run(Gemm{.a = a, .b = {}, .c = c}); }, {"Gemm", "b is missing"});
  const Tensor integers = bench.blank({.shape = {3, 5}, .dtype = DType::kI32});
  expect_error<ShapeError>([&] { bench.run(Gemm{.a = a, .b = integers, .c = c}); },
                           {"Gemm", "b", "int32", "fp32"});
}

TEST(Gemm, Rejects_Runs_That_Would_Write_The_Same_Memory) {
  Workbench bench(oracle());
  const Tensor a = bench.empty(Shape({2, 3}).with_runs(2)), b = bench.empty(Shape({3, 5}).with_runs(2));
  const Tensor one = bench.empty({2, 5});
  const Tensor both(TensorSpec{.shape = Shape({2, 5}).with_runs(2)}, one.raw(), *one.memory(), 0);
  expect_error<ShapeError>([&] { bench.run(Gemm{.a = a, .b = b, .c = both}); },
                           {"Gemm", "c", "share one copy"});
  expect_error<ShapeError>([&] { bench.run(Gemm{.a = a, .b = b, .c = one}); }, {"Gemm", "2 runs", "has 1"});
}

TEST(Gemm, Rejects_Operands_Of_Two_Memories) {
  Workbench bench(oracle());
  HostMemory elsewhere;
  const DeviceTensor stray(elsewhere, {.shape = {3, 5}});
  expect_error<ShapeError>(
      [&] {
        bench.run(Gemm{.a = bench.empty({2, 3}), .b = stray.view(), .c = bench.empty({2, 5})});
      },
      {"Gemm", "b", "memory"});
}

}  // namespace
}  // namespace gnc::tests
