/// ReLU, sums, bias, change of layout: by hand, gradients, errors. Cases:
/// cases/pointwise.h.

#include "engine/ops/pointwise.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ops/cases/pointwise.h"
#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;
using Values = std::span<const double>;

TEST(ReluForward, Cuts_Off_What_Is_Negative_And_Keeps_NaN) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor y = bench.empty({6});
    bench.run(ReluForward{.x = bench.tensor({6}, {-1, 0, 2, -INFINITY, INFINITY, NAN}), .y = y});
    const Doubles values = bench.values(y);
    EXPECT_EQ(Doubles(values.begin(), values.end() - 1), (Doubles{0, 0, 2, 0, INFINITY}));
    EXPECT_TRUE(std::isnan(values[5]));
  });
}

TEST(ReluBackward, Passes_Only_Where_The_Output_Is_Positive) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor x_grad = bench.empty({4});
    bench.run(ReluBackward{.y = bench.tensor({4}, {0, 2, 0, 1e-38}),
                           .y_grad = bench.tensor({4}, {5, 6, NAN, -7}),
                           .x_grad = x_grad});
    EXPECT_EQ(bench.values(x_grad), (Doubles{0, 6, 0, -7}));
  });
}

TEST(Add, Cuts_Off_The_Sum_And_Keeps_NaN) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor a = bench.tensor({4}, {-1, 2, NAN, 3}), b = bench.tensor({4}, {0.5, -1, 1, -4});
    const Tensor y = bench.empty({4});
    bench.run(Add{.a = a, .b = b, .y = y, .activation = Activation::kRelu});
    Doubles values = bench.values(y);
    EXPECT_TRUE(std::isnan(values[2]));
    values[2] = 0;
    EXPECT_EQ(values, (Doubles{0, 1, 0, 0}));
    bench.run(Add{.a = a, .b = b, .y = b});
    values = bench.values(b);
    EXPECT_TRUE(std::isnan(values[2]));
    values[2] = 0;
    EXPECT_EQ(values, (Doubles{-0.5, 1, 0, -1}));
  });
}

TEST(Add, Gradient_Of_Both_Branches_Is_The_Masked_One) {
  const Shape shape{41};
  const Doubles b = random_doubles("b", shape), probe = random_doubles("probe", shape);
  Doubles a = random_doubles("a", shape);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += a[i] + b[i] > 0 ? 0.1 : -0.1;  // away from the kink
  const auto sum = [&](Workbench& bench, Values at) {
    const Tensor y = bench.empty(shape);
    bench.run(Add{
        .a = bench.tensor(shape, at), .b = bench.tensor(shape, b), .y = y, .activation = Activation::kRelu});
    return y;
  };
  Workbench bench(oracle(), DType::kF64);
  const Tensor gradient = bench.empty(shape);
  bench.run(ReluBackward{.y = sum(bench, a), .y_grad = bench.tensor(shape, probe), .x_grad = gradient});
  constexpr GradientCheck kShortStep = {.step = 0.05, .tolerance = {.absolute = 1e-13, .relative = 1e-13}};
  const auto loss = [&](Values at) {
    Workbench there(oracle(), DType::kF64);
    return dot(there.values(sum(there, at)), probe);
  };
  expect_gradient(loss, a, bench.values(gradient), kShortStep);
}

TEST(Bias, Is_Added_To_Every_Row_And_Gathers_Every_Row) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor y = bench.tensor({2, 3}, {1, 2, 3, 4, 5, 6}), bias_grad = bench.empty({3});
    bench.run(BiasForward{.bias = bench.tensor({3}, {10, 20, 30}), .y = y});
    EXPECT_EQ(bench.values(y), (Doubles{11, 22, 33, 14, 25, 36}));
    bench.run(BiasBackward{.y_grad = y, .bias_grad = bias_grad});
    EXPECT_EQ(bench.values(bias_grad), (Doubles{25, 47, 69}));
  });
}

TEST(BiasBackward, Gradient_Matches_Differences) {
  const Shape shape{5, 3};
  const Doubles y = random_doubles("y", shape), probe = random_doubles("probe", shape);
  const Doubles bias = random_doubles("bias", {3});
  const auto loss = [&](Values at) {
    Workbench bench(oracle(), DType::kF64);
    const Tensor sum = bench.tensor(shape, y);
    bench.run(BiasForward{.bias = bench.tensor({3}, at), .y = sum});
    return dot(bench.values(sum), probe);
  };
  Workbench bench(oracle(), DType::kF64);
  const Tensor bias_grad = bench.empty({3});
  bench.run(BiasBackward{.y_grad = bench.tensor(shape, probe), .bias_grad = bias_grad});
  expect_gradient(loss, bias, bench.values(bias_grad), kBilinear);
}

TEST(ReluBackward, Gradient_Matches_Differences) {
  const Shape shape{41};
  Doubles x = random_doubles("x", shape);
  for (double& value : x) value += value > 0 ? 0.1 : -0.1;  // away from the kink
  const Doubles probe = random_doubles("probe", shape);
  const auto relu = [&](Workbench& bench, Values at) {
    const Tensor y = bench.empty(shape);
    bench.run(ReluForward{.x = bench.tensor(shape, at), .y = y});
    return y;
  };
  Workbench bench(oracle(), DType::kF64);
  const Tensor x_grad = bench.empty(shape);
  bench.run(ReluBackward{.y = relu(bench, x), .y_grad = bench.tensor(shape, probe), .x_grad = x_grad});
  constexpr GradientCheck kShortStep = {.step = 0.05, .tolerance = {.absolute = 1e-13, .relative = 1e-13}};
  const auto loss = [&](Values at) {
    Workbench there(oracle(), DType::kF64);
    return dot(there.values(relu(there, at)), probe);
  };
  expect_gradient(loss, x, bench.values(x_grad), kShortStep);
}

TEST(ConvertLayout, Moves_Bytes_Of_Any_Type_On_The_Reference) {
  Workbench bench(oracle());
  const Tensor pixels = bench.integers({1, 2, 1, 3}, DType::kU8, {1, 2, 3, 4, 5, 6});
  const Tensor moved = bench.blank({.shape = pixels.shape(), .dtype = DType::kU8, .layout = Layout::kNHWC});
  bench.run(ConvertLayout{.x = pixels, .y = moved});
  const auto* bytes = moved.data<std::uint8_t>();
  EXPECT_EQ(std::vector<int>(bytes, bytes + 6), (std::vector<int>{1, 4, 2, 5, 3, 6}));
}

TEST(ConvertLayout, Clears_The_Padding_Of_Blocked_Layouts) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const ConvertLayoutCase blocking{.shape = {1, 1, 1, 1}, .to = Layout::kOIhw8i8o};
    if (!is_for<ConvertLayout>(blocking, backend)) return;
    Workbench bench(backend);
    const Tensor blocked = bench.blank({.shape = {1, 1, 1, 1}, .layout = Layout::kOIhw8i8o});
    bench.run(ConvertLayout{.x = bench.tensor({1, 1, 1, 1}, {3}), .y = blocked});
    std::vector<float> stored(64);
    backend.memory().download(stored.data(), blocked.raw(), stored.size() * sizeof(float));
    std::vector<float> expected(64, 0.0F);
    expected[0] = 3;
    EXPECT_EQ(stored, expected);
  });
}

TEST(Pointwise, Names_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const Tensor x = bench.empty({2, 3, 4, 4}), y = bench.empty_image({2, 3, 4, 4});
  expect_error<ShapeError>([&] { bench.run(ReluForward{.x = x, .y = y}); },
                           {"ReluForward", "x is in layout row-major", "y is in NHWC"});
  expect_error<ShapeError>(
      [&] {
        bench.run(ReluBackward{.y = x, .y_grad = bench.empty({2, 3}), .x_grad = x});
      },
      {"ReluBackward", "y_grad is [2,3]", "must be [2,3,4,4]"});
  expect_error<ShapeError>(
      [&] {
        bench.run(Add{.a = x, .b = bench.empty({2, 3, 4}), .y = x});
      },
      {"Add", "b is [2,3,4]", "must be [2,3,4,4]"});
  expect_error<ShapeError>(
      [&] {
        bench.run(BiasForward{.bias = bench.empty({4}), .y = bench.empty({2, 3})});
      },
      {"BiasForward", "bias is [4]", "must be [3]"});
  expect_error<ShapeError>([&] { bench.run(ConvertLayout{.x = x, .y = x}); },
                           {"ConvertLayout", "y must not be x"});
}

TEST(ReluForward, Names_A_Type_That_Is_No_Image) {
  Workbench bench(oracle());
  const Tensor brief = bench.blank({.shape = {3}, .dtype = DType::kI32});
  expect_error<ShapeError>([&] { bench.run(ReluForward{.x = brief, .y = brief}); },
                           {"ReluForward", "y is int32", "fp32, fp64 or bf16"});
}

}  // namespace
}  // namespace gnc::tests
