/// Subsampling with zero padding of channels: by hand, gradient, errors. Cases: cases/subsample.h.

#include "engine/ops/subsample.h"

#include <gtest/gtest.h>

#include "tests/ops/cases/subsample.h"
#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;

TEST(Subsample, Takes_Every_Second_Pixel_And_Puts_Zeros_Around_Its_Channels) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor y = bench.empty_image({1, 3, 2, 1}), x_grad = bench.empty_image({1, 1, 3, 2});
    bench.run(SubsampleForward{
        .stride = 2, .first_channel = 1, .x = bench.image({1, 1, 3, 2}, {1, 2, 3, 4, 5, 6}), .y = y});
    EXPECT_EQ(bench.values(y), (Doubles{0, 0, 1, 5, 0, 0}));
    bench.run(SubsampleBackward{.stride = 2,
                                .first_channel = 1,
                                .y_grad = bench.image({1, 3, 2, 1}, {10, 20, 30, 40, 50, 60}),
                                .x_grad = x_grad});
    EXPECT_EQ(bench.values(x_grad), (Doubles{30, 0, 0, 0, 40, 0}));
  });
}

TEST(SubsampleBackward, Gradient_Matches_Differences) {
  const Shape x_shape{2, 3, 5, 4}, y_shape{2, 7, 3, 2};
  const Doubles x = random_doubles("x", x_shape), probe = random_doubles("probe", y_shape);
  const auto loss = [&](std::span<const double> at) {
    Workbench bench(oracle(), DType::kF64);
    const Tensor y = bench.empty(y_shape);
    bench.run(SubsampleForward{.stride = 2, .first_channel = 2, .x = bench.tensor(x_shape, at), .y = y});
    return dot(bench.values(y), probe);
  };
  Workbench bench(oracle(), DType::kF64);
  const Tensor x_grad = bench.empty(x_shape);
  bench.run(SubsampleBackward{
      .stride = 2, .first_channel = 2, .y_grad = bench.tensor(y_shape, probe), .x_grad = x_grad});
  expect_gradient(loss, x, bench.values(x_grad), kBilinear);
}

TEST(Subsample, Names_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const Tensor x = bench.empty({2, 3, 5, 5});
  const auto forward = [&](int stride, int first_channel, const Shape& y) {
    bench.run(
        SubsampleForward{.stride = stride, .first_channel = first_channel, .x = x, .y = bench.empty(y)});
  };
  expect_error<ShapeError>(
      [&] {
        forward(2, 0, {2, 3, 2, 2});
      },
      {"SubsampleForward", "y is [2,3,2,2]", "must be [2,3,3,3]"});
  expect_error<ShapeError>(
      [&] {
        forward(2, 1, {2, 3, 3, 3});
      },
      {"SubsampleForward", "y [2,3,3,3]", "the 3 channels of x from channel 1 on"});
  expect_error<ShapeError>([&] { forward(0, 0, {2, 3, 5, 5}); }, {"SubsampleForward", "stride 0"});
  expect_error<ShapeError>([&] { bench.run(SubsampleBackward{.stride = 1, .y_grad = x, .x_grad = x}); },
                           {"SubsampleBackward", "y_grad must not be x_grad"});
}

}  // namespace
}  // namespace gnc::tests
