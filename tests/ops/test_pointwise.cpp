/// ReLU, bias, change of layout, normalisation of pictures: by hand, gradients, errors. Cases:
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

TEST(NormalizeFlip, Flips_Then_Normalises_The_Destination_Pixel) {
  // Two stored pictures of 1x1x3; the batch takes the second flipped, the first as it is, the second as it
  // is.
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor pixels = bench.integers({2, 1, 1, 3}, DType::kU8, {0, 51, 255, 102, 153, 204});
    const Tensor y = bench.empty_image({3, 1, 1, 3});
    bench.run(NormalizeFlip{.pixels = pixels,
                            .indices = bench.integers({3}, DType::kI32, {1, 0, 1}),
                            .flips = bench.integers({3}, DType::kU8, {1, 0, 0}),
                            .scale = bench.tensor({1, 1, 1, 3}, {1, 10, 100}),
                            .offset = bench.tensor({1, 1, 1, 3}, {0, 1, 2}),
                            .y = y});
    // 51/255 = 0.2 and so on; three roundings of numbers up to 102.
    const Doubles expected = {0.8, 7, 42, 0, 3, 102, 0.4, 7, 82}, values = bench.values(y);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(values[i], expected[i], 4 * kUnitRoundoff * 102) << i;
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
        bench.run(BiasForward{.bias = bench.empty({4}), .y = bench.empty({2, 3})});
      },
      {"BiasForward", "bias is [4]", "must be [3]"});
  expect_error<ShapeError>([&] { bench.run(ConvertLayout{.x = x, .y = x}); },
                           {"ConvertLayout", "y must not be x"});
  expect_error<ShapeError>(
      [&] {
        bench.run(NormalizeFlip{.pixels = bench.blank({.shape = {9, 3, 4, 4}, .dtype = DType::kU8}),
                                .indices = bench.integers({2}, DType::kI32, {0, 1}),
                                .flips = bench.integers({2}, DType::kU8, {0, 1}),
                                .scale = bench.empty({1, 3, 4, 5}),
                                .offset = bench.empty({1, 3, 4, 4}),
                                .y = y});
      },
      {"NormalizeFlip", "scale is [1,3,4,5]", "must be [1,3,4,4]"});
}

TEST(ReluForward, Names_A_Type_That_Is_No_Image) {
  Workbench bench(oracle());
  const Tensor brief = bench.blank({.shape = {3}, .dtype = DType::kI32});
  expect_error<ShapeError>([&] { bench.run(ReluForward{.x = brief, .y = brief}); },
                           {"ReluForward", "y is int32", "fp32, fp64 or bf16"});
}

}  // namespace
}  // namespace gnc::tests
