/// Convolution: by hand, gradients, errors. Cases: cases/conv2d.h.

#include "engine/ops/conv2d.h"

#include <gtest/gtest.h>

#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;
using Values = std::span<const double>;

constexpr Conv2dGeometry k3x3 = {.kernel = 3, .stride = 1, .padding = 1};

Doubles convolve(Backend& backend, const Conv2dGeometry& geometry, const Shape& x, Values x_values,
                 const Shape& weights, Values weight_values, Values bias, DType real = DType::kF32) {
  Workbench bench(backend, real);
  const Tensor y = bench.empty_image(geometry.output_shape(x, weights[0]));
  bench.run(Conv2dForward{.geometry = geometry,
                          .x = bench.image(x, x_values),
                          .weights = bench.weights(weights, weight_values),
                          .bias = bias.empty() ? Tensor() : bench.tensor({weights[0]}, bias),
                          .y = y});
  return bench.values(y);
}

TEST(Conv2dForward, Correlates_As_By_Hand) {
  const Doubles counting = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    // The centre is Σ i² = 285; with the kernel turned around, as mathematicians convolve, it would be 165.
    EXPECT_EQ(convolve(backend, k3x3, {1, 1, 3, 3}, counting, {1, 1, 3, 3}, counting, {}),
              (Doubles{94, 154, 106, 186, 285, 186, 106, 154, 94}));
  });
}

TEST(Conv2dForward, Tells_Rows_From_Columns) {
  // The kernel has a one above its centre and a ten to the right of it.
  const Doubles kernel = {0, 1, 0, 0, 0, 10, 0, 0, 0}, x = {1, 2, 3, 4, 5, 6};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    EXPECT_EQ(convolve(backend, k3x3, {1, 1, 2, 3}, x, {1, 1, 3, 3}, kernel, {}),
              (Doubles{20, 30, 0, 51, 62, 3}));
  });
}

TEST(Conv2dForward, Sums_Input_Channels_And_Adds_The_Bias_Of_The_Output_Channel) {
  constexpr Conv2dGeometry k1x1 = {.kernel = 1, .stride = 1, .padding = 0};
  const Doubles x = {1, 2, 10, 20}, weights = {1, 2, 3, 4, 5, 6}, bias = {100, 200, 300};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    EXPECT_EQ(convolve(backend, k1x1, {1, 2, 1, 2}, x, {3, 2, 1, 1}, weights, bias),
              (Doubles{121, 142, 243, 286, 365, 430}));
  });
}

TEST(Conv2dForward, Steps_By_The_Stride_From_The_Padded_Corner) {
  constexpr Conv2dGeometry stride2 = {.kernel = 3, .stride = 2, .padding = 1};
  const Doubles ones(9, 1.0), x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    // Windows start at −1 and 1: rows {0,1} and {1,2,3}, columns likewise.
    EXPECT_EQ(convolve(backend, stride2, {1, 1, 4, 4}, x, {1, 1, 3, 3}, ones, {}), (Doubles{14, 30, 57, 99}));
  });
}

TEST(Conv2dBackward, Of_One_Output_Is_The_Window_And_The_Kernel) {
  // With one output y = Σ w·x, so the gradient of each factor is the other one.
  constexpr Conv2dGeometry unpadded = {.kernel = 2, .stride = 1, .padding = 0};
  const Shape shape{1, 1, 2, 2};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor x = bench.image(shape, {1, 2, 3, 4}), weights = bench.weights(shape, {5, 6, 7, 8});
    const Tensor y_grad = bench.image({1, 1, 1, 1}, {10});
    const Tensor x_grad = bench.empty_image(shape), weights_grad = bench.empty_weights(shape);
    const Tensor bias_grad = bench.empty({1});
    bench.run(
        Conv2dBackwardInput{.geometry = unpadded, .weights = weights, .y_grad = y_grad, .x_grad = x_grad});
    bench.run(Conv2dBackwardWeights{.geometry = unpadded,
                                    .x = x,
                                    .y_grad = y_grad,
                                    .weights_grad = weights_grad,
                                    .bias_grad = bias_grad});
    EXPECT_EQ(bench.values(x_grad), (Doubles{50, 60, 70, 80}));
    EXPECT_EQ(bench.values(weights_grad), (Doubles{10, 20, 30, 40}));
    EXPECT_EQ(bench.values(bias_grad), (Doubles{10}));
  });
}

TEST(Conv2dBackwardInput, Adds_Only_Where_Windows_Were) {
  // Every other pixel, twofold: 10·{1, 2} and 20·{1, 2} are added to what is there.
  constexpr Conv2dGeometry sampling = {.kernel = 1, .stride = 2, .padding = 0};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor x_grad = bench.image({1, 1, 3, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    bench.run(Conv2dBackwardInput{.geometry = sampling,
                                  .weights = bench.weights({1, 1, 1, 1}, {10}),
                                  .y_grad = bench.image({1, 1, 2, 2}, {1, 2, 2, 4}),
                                  .x_grad = x_grad,
                                  .x_grad_mode = GradientMode::kAccumulate});
    EXPECT_EQ(bench.values(x_grad), (Doubles{11, 2, 23, 4, 5, 6, 7, 8, 29, 10, 51, 12}));
  });
}

TEST(Conv2dBackward, Of_An_Empty_Batch_Is_Zero) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor weights_grad = bench.empty_weights({2, 3, 3, 3}), bias_grad = bench.empty({2});
    bench.run(Conv2dBackwardWeights{.geometry = k3x3,
                                    .x = bench.empty_image({0, 3, 4, 4}),
                                    .y_grad = bench.empty_image({0, 2, 4, 4}),
                                    .weights_grad = weights_grad,
                                    .bias_grad = bias_grad});
    EXPECT_EQ(bench.values(weights_grad), Doubles(54, 0.0));
    EXPECT_EQ(bench.values(bias_grad), Doubles(2, 0.0));
  });
}

struct GradientCase {
  Conv2dGeometry geometry;
  Shape x;
  int out_channels;
};

TEST(Conv2dBackward, Gradients_Match_Differences) {
  const std::vector<GradientCase> cases = {{{.kernel = 1, .stride = 1, .padding = 0}, {2, 3, 3, 4}, 5},
                                           {{.kernel = 1, .stride = 2, .padding = 0}, {2, 3, 5, 4}, 3},
                                           {k3x3, {2, 3, 5, 4}, 7},
                                           {{.kernel = 3, .stride = 2, .padding = 1}, {2, 3, 6, 5}, 3},
                                           {{.kernel = 3, .stride = 1, .padding = 0}, {1, 2, 4, 5}, 3},
                                           {{.kernel = 5, .stride = 1, .padding = 2}, {1, 2, 6, 5}, 2},
                                           {{.kernel = 7, .stride = 2, .padding = 3}, {1, 1, 9, 8}, 2}};
  for (const auto& [geometry, x_shape, out_channels] : cases) {
    SCOPED_TRACE(
        fmt::format("kernel {}, stride {}, x {}", geometry.kernel, geometry.stride, x_shape.to_string()));
    const Shape weights_shape{out_channels, x_shape[1], geometry.kernel, geometry.kernel};
    const Shape y_shape = geometry.output_shape(x_shape, out_channels), bias_shape{out_channels};
    const Doubles x = random_doubles("x", x_shape), weights = random_doubles("weights", weights_shape);
    const Doubles bias = random_doubles("bias", bias_shape), probe = random_doubles("probe", y_shape);
    const auto loss = [&, &geometry = geometry, &x_shape = x_shape](Values at_x, Values at_weights,
                                                                    Values at_bias) {
      return dot(convolve(oracle(), geometry, x_shape, at_x, weights_shape, at_weights, at_bias, DType::kF64),
                 probe);
    };
    Workbench bench(oracle(), DType::kF64);
    const Tensor y_grad = bench.image(y_shape, probe);
    const Tensor x_grad = bench.empty_image(x_shape), weights_grad = bench.empty_weights(weights_shape);
    const Tensor bias_grad = bench.empty(bias_shape);
    bench.run(Conv2dBackwardInput{.geometry = geometry,
                                  .weights = bench.weights(weights_shape, weights),
                                  .y_grad = y_grad,
                                  .x_grad = x_grad});
    bench.run(Conv2dBackwardWeights{.geometry = geometry,
                                    .x = bench.image(x_shape, x),
                                    .y_grad = y_grad,
                                    .weights_grad = weights_grad,
                                    .bias_grad = bias_grad});
    expect_gradient([&](Values at) { return loss(at, weights, bias); }, x, bench.values(x_grad), kBilinear);
    expect_gradient([&](Values at) { return loss(x, at, bias); }, weights, bench.values(weights_grad),
                    kBilinear);
    expect_gradient([&](Values at) { return loss(x, weights, at); }, bias, bench.values(bias_grad),
                    kBilinear);
  }
}

TEST(Conv2dForward, Names_Both_Channel_Counts_When_They_Differ) {
  Workbench bench(oracle());
  const Tensor x = bench.empty_image({8, 32, 16, 16}), y = bench.empty_image({8, 128, 16, 16});
  const Tensor weights = bench.empty_weights({128, 64, 3, 3});
  expect_error<ShapeError>(
      [&] { bench.run(Conv2dForward{.geometry = k3x3, .x = x, .weights = weights, .y = y}); },
      {"Conv2dForward", "weights have 64 input channels", "x [8,32,16,16] has 32"});
}

TEST(Conv2dForward, Names_The_Output_It_Expects) {
  Workbench bench(oracle());
  const Tensor x = bench.empty_image({8, 3, 16, 16}), y = bench.empty_image({8, 4, 16, 16});
  const Tensor weights = bench.empty_weights({4, 3, 3, 3});
  constexpr Conv2dGeometry stride2 = {.kernel = 3, .stride = 2, .padding = 1};
  expect_error<ShapeError>(
      [&] { bench.run(Conv2dForward{.geometry = stride2, .x = x, .weights = weights, .y = y}); },
      {"Conv2dForward", "y is [8,4,16,16]", "must be [8,4,8,8]"});
  expect_error<ShapeError>(
      [&] {
        bench.run(
            Conv2dForward{.geometry = k3x3, .x = x, .weights = weights, .bias = bench.empty({3}), .y = y});
      },
      {"Conv2dForward", "bias is [3]", "must be [4]"});
}

TEST(Conv2dBackward, Names_The_Gradient_That_Does_Not_Fit) {
  Workbench bench(oracle());
  const Tensor x = bench.empty_image({2, 3, 4, 4}), y_grad = bench.empty_image({2, 5, 4, 4});
  expect_error<ShapeError>(
      [&] {
        bench.run(Conv2dBackwardWeights{
            .geometry = k3x3, .x = x, .y_grad = y_grad, .weights_grad = bench.empty_weights({5, 3, 1, 1})});
      },
      {"Conv2dBackwardWeights", "weights_grad is [5,3,1,1]", "must be [5,3,3,3]"});
  expect_error<ShapeError>(
      [&] {
        bench.run(Conv2dBackwardInput{.geometry = k3x3,
                                      .weights = bench.empty_weights({5, 3, 3, 3}),
                                      .y_grad = bench.empty_image({2, 5, 3, 4}),
                                      .x_grad = x});
      },
      {"Conv2dBackwardInput", "y_grad is [2,5,3,4]", "must be [2,5,4,4]"});
}

TEST(Conv2dGeometry, Refuses_Windows_That_Do_Not_Fit) {
  constexpr Conv2dGeometry large = {.kernel = 5, .stride = 1, .padding = 0};
  expect_error<ShapeError>([&] { large.output_shape({1, 1, 4, 8}, 1); }, {"5x5", "padding 0", "[1,1,4,8]"});
  constexpr Conv2dGeometry frozen = {.kernel = 3, .stride = 0, .padding = 1};
  expect_error<ShapeError>([&] { frozen.output_shape({1, 1, 4, 8}, 1); }, {"stride 0"});
  constexpr Conv2dGeometry stride2 = {.kernel = 3, .stride = 2, .padding = 1};
  EXPECT_EQ(stride2.output_shape({2, 3, 7, 8}, 5), (Shape{2, 5, 4, 4}));
}

}  // namespace
}  // namespace gnc::tests
