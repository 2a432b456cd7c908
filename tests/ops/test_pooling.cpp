/// Pooling: by hand, ties, NaN, gradients, errors. Cases: cases/pooling.h.

#include "engine/ops/pooling.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;
using Values = std::span<const double>;

constexpr Conv2dGeometry k2x2 = {.kernel = 2, .stride = 2, .padding = 0};
constexpr Conv2dGeometry k3x3Padded = {.kernel = 3, .stride = 2, .padding = 1};

/// Maximum and winners of pooling one picture [1,1,H,W].
struct Pooled {
  Doubles y;
  Doubles winner;
};

/// Pools the same picture in 19 channels at once, so that loops over vectors of channels and their remainders
/// are both taken, and expects the same of all.
Pooled max_pool(Backend& backend, const Conv2dGeometry& geometry, int height, int width, Values x) {
  constexpr int kChannels = 19;
  const Shape shape{1, kChannels, height, width};
  Doubles pictures;
  for (int c = 0; c < kChannels; ++c) pictures.insert(pictures.end(), x.begin(), x.end());
  Workbench bench(backend);
  const Tensor y = bench.empty_image(geometry.output_shape(shape, kChannels));
  const Tensor winner = bench.blank({.shape = y.shape(), .dtype = DType::kU8, .layout = y.layout()});
  bench.run(
      MaxPoolForward{.geometry = geometry, .x = bench.image(shape, pictures), .y = y, .winner = winner});
  const Doubles all = bench.values(y), winners = bench.values(winner);
  const std::size_t pixels = all.size() / kChannels;
  for (std::size_t i = pixels; i < all.size(); ++i) {
    const bool agrees = all[i] == all[i % pixels] || (std::isnan(all[i]) && std::isnan(all[i % pixels]));
    EXPECT_TRUE(agrees && winners[i] == winners[i % pixels])
        << "channel " << i / pixels << " differs from channel 0";
  }
  const auto end = static_cast<std::ptrdiff_t>(pixels);
  return {{all.begin(), all.begin() + end}, {winners.begin(), winners.begin() + end}};
}

TEST(MaxPoolForward, Gives_Ties_To_The_First_In_Row_Major_Order) {
  const Doubles x = {1, 5, 3,  3,  //
                     5, 5, 3,  3,  //
                     0, 0, -7, 2,  //
                     0, 1, 2,  2};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Pooled pooled = max_pool(backend, k2x2, 4, 4, x);
    EXPECT_EQ(pooled.y, (Doubles{5, 3, 1, 2}));
    EXPECT_EQ(pooled.winner, (Doubles{1, 0, 3, 1}));
  });
}

TEST(MaxPoolForward, Never_Lets_Padding_Win) {
  const Doubles x = {-4, -3, -2, -1};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Pooled pooled = max_pool(backend, k3x3Padded, 2, 2, x);
    EXPECT_EQ(pooled.y, (Doubles{-1}));
    EXPECT_EQ(pooled.winner, (Doubles{8}));
    // Minus infinity beats padding as well.
    const Pooled infinite = max_pool(backend, k3x3Padded, 1, 1, Doubles{-INFINITY});
    EXPECT_EQ(infinite.y, (Doubles{-INFINITY}));
    EXPECT_EQ(infinite.winner, (Doubles{4}));
    const Pooled lowest = max_pool(backend, k2x2, 2, 2, Doubles(4, -INFINITY));
    EXPECT_EQ(lowest.y, (Doubles{-INFINITY}));
    EXPECT_EQ(lowest.winner, (Doubles{0}));
  });
}

TEST(MaxPoolForward, Lets_NaN_Win) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    for (const int place : {0, 1, 2, 3}) {
      Doubles x = {1, 9, 3, 4};
      x[static_cast<std::size_t>(place)] = NAN;
      const Pooled pooled = max_pool(backend, k2x2, 2, 2, x);
      EXPECT_TRUE(std::isnan(pooled.y[0]));
      EXPECT_EQ(pooled.winner[0], place);
    }
    // The first of two.
    EXPECT_EQ(max_pool(backend, k2x2, 2, 2, Doubles{1, NAN, 3, NAN}).winner[0], 1);
  });
}

TEST(MaxPoolBackward, Sums_Where_Windows_Overlap_And_Clears_The_Rest) {
  // 3x3 windows at stride 2 over 5x5: all four meet in pixel (2,2), which wins each of them.
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor y_grad = bench.image({1, 1, 2, 2}, {1, 10, 100, 1000});
    const Tensor winner = bench.integer_image({1, 1, 2, 2}, DType::kU8, {8, 6, 2, 0});
    const Tensor x_grad = bench.empty_image({1, 1, 5, 5});
    bench.run(MaxPoolBackward{.geometry = {.kernel = 3, .stride = 2, .padding = 0},
                              .y_grad = y_grad,
                              .winner = winner,
                              .x_grad = x_grad});
    Doubles expected(25, 0.0);
    expected[12] = 1111;
    EXPECT_EQ(bench.values(x_grad), expected);
  });
}

TEST(AveragePoolForward, Counts_Padding_As_Zeros) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor y = bench.empty_image({1, 1, 2, 2});
    bench.run(AveragePoolForward{.geometry = {.kernel = 2, .stride = 2, .padding = 1},
                                 .x = bench.image({1, 1, 2, 2}, {4, 8, 12, 16}),
                                 .y = y});
    EXPECT_EQ(bench.values(y), (Doubles{1, 2, 3, 4}));
  });
}

TEST(AveragePoolForward, Of_The_Whole_Image_Is_Its_Mean) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor y = bench.empty_image({1, 2, 1, 1});
    bench.run(AveragePoolForward{.geometry = {.kernel = 2, .stride = 1, .padding = 0},
                                 .x = bench.image({1, 2, 2, 2}, {1, 2, 3, 6, -1, -2, -3, -10}),
                                 .y = y});
    EXPECT_EQ(bench.values(y), (Doubles{3, -4}));
  });
}

struct GradientCase {
  Conv2dGeometry geometry;
  Shape x;
};

const std::vector<GradientCase>& gradient_cases() {
  static const std::vector<GradientCase> cases = {{k2x2, {2, 3, 4, 6}},
                                                  {k2x2, {1, 2, 5, 3}},
                                                  {k3x3Padded, {2, 3, 7, 6}},
                                                  {{.kernel = 3, .stride = 1, .padding = 1}, {1, 2, 4, 5}},
                                                  {{.kernel = 4, .stride = 1, .padding = 0}, {2, 3, 4, 4}}};
  return cases;
}

TEST(AveragePoolBackward, Gradient_Matches_Differences) {
  for (const auto& [geometry, shape] : gradient_cases()) {
    SCOPED_TRACE(
        fmt::format("kernel {}, stride {}, x {}", geometry.kernel, geometry.stride, shape.to_string()));
    const Shape y_shape = geometry.output_shape(shape, shape[1]);
    const Doubles x = random_doubles("x", shape), probe = random_doubles("probe", y_shape);
    const auto loss = [&, &geometry = geometry, &shape = shape](Values at) {
      Workbench bench(oracle(), DType::kF64);
      const Tensor y = bench.empty_image(y_shape);
      bench.run(AveragePoolForward{.geometry = geometry, .x = bench.image(shape, at), .y = y});
      return dot(bench.values(y), probe);
    };
    Workbench bench(oracle(), DType::kF64);
    const Tensor x_grad = bench.empty_image(shape);
    bench.run(
        AveragePoolBackward{.geometry = geometry, .y_grad = bench.image(y_shape, probe), .x_grad = x_grad});
    expect_gradient(loss, x, bench.values(x_grad), kBilinear);
  }
}

TEST(MaxPoolBackward, Gradient_Matches_Differences) {
  // Linear as long as no winner changes: pixels are a random order of multiples of 0.01, and the step is a
  // tenth of that.
  constexpr GradientCheck kPiecewiseLinear = {.difference = Difference::kTwoPoint,
                                              .step = 0.001,
                                              .tolerance = {.absolute = 1e-11, .relative = 1e-11}};
  for (const auto& [geometry, shape] : gradient_cases()) {
    SCOPED_TRACE(
        fmt::format("kernel {}, stride {}, x {}", geometry.kernel, geometry.stride, shape.to_string()));
    const Shape y_shape = geometry.output_shape(shape, shape[1]);
    Doubles x;
    for (const int rank : RandomStream(3, "order").permutation(static_cast<int>(shape.elements())))
      x.push_back(0.01 * rank);
    const Doubles probe = random_doubles("probe", y_shape);
    const auto loss = [&, &geometry = geometry, &shape = shape](Values at) {
      Workbench there(oracle(), DType::kF64);
      const Tensor pooled = there.empty_image(y_shape);
      there.run(MaxPoolForward{.geometry = geometry, .x = there.image(shape, at), .y = pooled});
      return dot(there.values(pooled), probe);
    };
    Workbench bench(oracle(), DType::kF64);
    const Tensor y = bench.empty_image(y_shape), x_grad = bench.empty_image(shape);
    const Tensor winner = bench.blank({.shape = y_shape, .dtype = DType::kU8, .layout = y.layout()});
    bench.run(MaxPoolForward{.geometry = geometry, .x = bench.image(shape, x), .y = y, .winner = winner});
    bench.run(MaxPoolBackward{
        .geometry = geometry, .y_grad = bench.image(y_shape, probe), .winner = winner, .x_grad = x_grad});
    expect_gradient(loss, x, bench.values(x_grad), kPiecewiseLinear);
  }
}

TEST(MaxPool, Names_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const Tensor x = bench.empty_image({2, 3, 6, 6}), y = bench.empty_image({2, 3, 3, 3});
  expect_error<ShapeError>(
      [&] {
        bench.run(MaxPoolForward{.geometry = k2x2, .x = x, .y = bench.empty_image({2, 3, 6, 6})});
      },
      {"MaxPoolForward", "y is [2,3,6,6]", "must be [2,3,3,3]"});
  expect_error<ShapeError>(
      [&] {
        bench.run(
            MaxPoolForward{.geometry = k2x2, .x = x, .y = y, .winner = bench.empty_image({2, 3, 3, 3})});
      },
      {"MaxPoolForward", "winner is fp32", "must be uint8"});
  expect_error<ShapeError>(
      [&] { bench.run(MaxPoolBackward{.geometry = k2x2, .y_grad = y, .winner = {}, .x_grad = x}); },
      {"MaxPoolBackward", "winner is missing"});
  constexpr Conv2dGeometry mostly_padding = {.kernel = 3, .stride = 1, .padding = 2};
  expect_error<ShapeError>(
      [&] {
        bench.run(MaxPoolForward{.geometry = mostly_padding, .x = x, .y = bench.empty_image({2, 3, 8, 8})});
      },
      {"MaxPoolForward", "padding 2", "kernel 3"});
}

}  // namespace
}  // namespace gnc::tests
