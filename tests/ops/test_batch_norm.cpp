/// Batch normalisation: by hand, gradients, errors. Cases: cases/batch_norm.h.

#include "engine/ops/batch_norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;
using Values = std::span<const double>;

/// The tensors of one normalisation, in training.
struct Normalization {
  Tensor x, scale, shift, running_mean, running_variance, mean, invstd, y;

  Normalization(Workbench& bench, const Shape& shape, Values x_values, Values scale_values,
                Values shift_values, float epsilon, Activation activation) {
    const Shape channels{shape[1]};
    const bool is_image = shape.rank() == 4;
    x = is_image ? bench.image(shape, x_values) : bench.tensor(shape, x_values);
    y = is_image ? bench.empty_image(shape) : bench.empty(shape);
    scale = bench.tensor(channels, scale_values);
    shift = bench.tensor(channels, shift_values);
    running_mean = bench.tensor(channels, Doubles(static_cast<std::size_t>(shape[1]), 0.0));
    running_variance = bench.tensor(channels, Doubles(static_cast<std::size_t>(shape[1]), 1.0));
    mean = bench.empty(channels);
    invstd = bench.empty(channels);
    bench.run(BatchNormForward{.x = x,
                               .scale = scale,
                               .shift = shift,
                               .running_mean = running_mean,
                               .running_variance = running_variance,
                               .mean = mean,
                               .invstd = invstd,
                               .y = y,
                               .epsilon = epsilon,
                               .momentum = 0.25F,
                               .activation = activation});
  }
};

/// The gradients that follow from y_grad.
struct Gradients {
  Tensor x, scale, shift;

  Gradients(Workbench& bench, const Normalization& forward, const Tensor& y_grad, Activation activation)
      : x(bench.blank(forward.x.spec())),
        scale(bench.empty(forward.scale.shape())),
        shift(bench.empty(forward.scale.shape())) {
    bench.run(BatchNormBackward{.x = forward.x,
                                .scale = forward.scale,
                                .shift = forward.shift,
                                .mean = forward.mean,
                                .invstd = forward.invstd,
                                .y_grad = y_grad,
                                .x_grad = x,
                                .scale_grad = scale,
                                .shift_grad = shift,
                                .activation = activation});
  }
};

TEST(BatchNormForward, Normalises_As_By_Hand) {
  // Channel 0 is −3, −1, 1, 3 around 10: variance 5, epsilon 4, so invstd 1/3; channel 1 is constant: invstd
  // 1/2.
  const Doubles x = {7, 9, 5, 5, 11, 13, 5, 5}, scale = {3, 100}, shift = {1, -2};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Normalization result(bench, {2, 2, 1, 2}, x, scale, shift, 4.0F, Activation::kNone);
    EXPECT_EQ(bench.values(result.mean), (Doubles{10, 5}));
    // Roundings: of the reciprocal root, of two products and a sum of numbers up to 3.
    EXPECT_NEAR(bench.values(result.invstd)[0], 1.0 / 3, 4 * kUnitRoundoff);
    EXPECT_EQ(bench.values(result.invstd)[1], 0.5);
    const Doubles y = bench.values(result.y), expected = {-2, 0, -2, -2, 2, 4, -2, -2};
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 100 * kUnitRoundoff) << i;
    // 0.75·old + 0.25·batch, with the unbiased variance 5·4/3.
    EXPECT_EQ(bench.values(result.running_mean), (Doubles{2.5, 1.25}));
    EXPECT_NEAR(bench.values(result.running_variance)[0], 0.75 + 0.25 * 20 / 3, 20 * kUnitRoundoff);
    EXPECT_EQ(bench.values(result.running_variance)[1], 0.75);
  });
}

TEST(BatchNormForward, Takes_The_Biased_Variance_Of_A_Single_Element) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Normalization result(bench, {1, 1}, Doubles{42}, Doubles{3}, Doubles{-7}, 4.0F, Activation::kNone);
    EXPECT_EQ(bench.values(result.y), (Doubles{-7}));
    EXPECT_EQ(bench.values(result.running_variance), (Doubles{0.75}));  // not NaN, as 0/0 would be
  });
}

TEST(BatchNormForward, Cuts_Off_What_Is_Negative) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Normalization result(bench, {4, 1}, Doubles{7, 9, 11, 13}, Doubles{3}, Doubles{0}, 4.0F,
                               Activation::kRelu);
    const Doubles y = bench.values(result.y);
    EXPECT_EQ(y[0], 0);
    EXPECT_EQ(y[1], 0);
    EXPECT_NEAR(y[2], 1, 100 * kUnitRoundoff);
    EXPECT_NEAR(y[3], 3, 100 * kUnitRoundoff);
  });
}

TEST(BatchNormForward, Keeps_NaN_Through_The_Relu) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Normalization result(bench, {3, 2}, Doubles{1, 1, NAN, 2, 2, 3}, Doubles{1, 1}, Doubles{0, 0},
                               1e-5F, Activation::kRelu);
    const Doubles y = bench.values(result.y);
    for (const std::size_t i : {0, 2, 4}) EXPECT_TRUE(std::isnan(y[i])) << i;
    for (const std::size_t i : {1, 3, 5}) EXPECT_TRUE(std::isfinite(y[i])) << i;
  });
}

TEST(BatchNormApply, Gives_The_Bits_Of_The_Forward_Pass) {
  const Shape shape{3, 19, 6, 7};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    Doubles x;
    for (std::int64_t i = 0; i < shape.elements(); ++i) x.push_back(std::sin(static_cast<double>(i)));
    const Doubles scale(19, 1.7), shift(19, 0.3);
    const Normalization forward(bench, shape, x, scale, shift, 1e-5F, Activation::kRelu);
    const Tensor y = bench.blank(forward.y.spec());
    bench.run(BatchNormApply{.x = forward.x,
                             .scale = forward.scale,
                             .shift = forward.shift,
                             .mean = forward.mean,
                             .invstd = forward.invstd,
                             .y = y,
                             .activation = Activation::kRelu});
    EXPECT_EQ(bench.values(y), bench.values(forward.y));
  });
}

TEST(BatchNormInference, Uses_The_Running_Statistics) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor x = bench.image({1, 2, 1, 2}, {3, 7, 1, -1}), y = bench.empty_image({1, 2, 1, 2});
    // Channel 0: (x − 1)/√(12 + 4)·2 + 10; channel 1: x/√(0 + 4) − 0.25.
    bench.run(BatchNormInference{.x = x,
                                 .scale = bench.tensor({2}, {2, 1}),
                                 .shift = bench.tensor({2}, {10, -0.25}),
                                 .running_mean = bench.tensor({2}, {1, 0}),
                                 .running_variance = bench.tensor({2}, {12, 0}),
                                 .y = y,
                                 .epsilon = 4.0F,
                                 .activation = Activation::kRelu});
    EXPECT_EQ(bench.values(y), (Doubles{11, 13, 0.25, 0}));
  });
}

TEST(BatchNormBackward, Masks_Exactly_What_The_Forward_Pass_Cut_Off) {
  // With y_grad = 1 the shift's gradient counts the positive outputs. A quarter of the outputs is made to lie
  // within rounding of zero: the shift is minus a normalised value.
  const Shape shape{8, 2, 16, 16};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    for (int trial = 0; trial < 20; ++trial) {
      Workbench bench(backend);
      Doubles x = random_doubles(fmt::format("x{}", trial), shape, 1, 3);
      for (std::size_t i = 0; i < x.size(); i += 4) x[i] = 2.3;
      const Doubles scale = {1.7, -0.6};
      const Normalization probe(bench, shape, x, scale, Doubles{0, 0}, 1e-5F, Activation::kNone);
      const Doubles normalized = bench.values(probe.y);
      const Doubles shift = {-normalized[0], -normalized[256]};
      const Normalization forward(bench, shape, x, scale, shift, 1e-5F, Activation::kRelu);
      const Doubles ones(x.size(), 1.0), y = bench.values(forward.y);
      const Gradients gradients(bench, forward, bench.image(shape, ones), Activation::kRelu);
      Doubles positive(2, 0.0);
      for (std::size_t i = 0; i < y.size(); ++i) positive[i / 256 % 2] += y[i] > 0 ? 1 : 0;
      EXPECT_EQ(bench.values(gradients.shift), positive) << "trial " << trial;
    }
  });
}

struct GradientCase {
  Shape x;
  Activation activation;
};

TEST(BatchNormBackward, Gradients_Match_Differences) {
  const std::vector<GradientCase> cases = {{{5, 1}, Activation::kNone},
                                           {{7, 3}, Activation::kRelu},
                                           {{2, 3, 3, 4}, Activation::kNone},
                                           {{2, 3, 3, 4}, Activation::kRelu},
                                           {{1, 2, 5, 5}, Activation::kRelu}};
  constexpr float kEpsilon = 1e-5F;
  for (const auto& [shape, activation] : cases) {
    SCOPED_TRACE(fmt::format("x {}{}", shape.to_string(), activation == Activation::kRelu ? ", ReLU" : ""));
    const Shape channels{shape[1]};
    const Doubles x = random_doubles("x", shape, -2, 2), probe = random_doubles("probe", shape);
    const Doubles scale = random_doubles("scale", channels, 0.5, 1.5),
                  shift = random_doubles("shift", channels);
    const auto loss = [&, &shape = shape, &activation = activation](Values at_x, Values at_scale,
                                                                    Values at_shift) {
      Workbench bench(oracle(), DType::kF64);
      const Normalization forward(bench, shape, at_x, at_scale, at_shift, kEpsilon, activation);
      return dot(bench.values(forward.y), probe);
    };
    Workbench bench(oracle(), DType::kF64);
    const Normalization forward(bench, shape, x, scale, shift, kEpsilon, activation);
    if (activation == Activation::kRelu) {
      // Differences are right only away from the kink. The longest step, 0.002 in x, moves an output by less
      // than scale·invstd·0.002 < 0.004.
      const Normalization linear(bench, shape, x, scale, shift, kEpsilon, Activation::kNone);
      for (const double value : bench.values(linear.y))
        ASSERT_GT(std::fabs(value), 0.004) << "choose another seed for this shape";
    }
    const Tensor y_grad = shape.rank() == 4 ? bench.image(shape, probe) : bench.tensor(shape, probe);
    const Gradients gradients(bench, forward, y_grad, activation);
    expect_gradient([&](Values at) { return loss(at, scale, shift); }, x, bench.values(gradients.x), kCurved);
    expect_gradient([&](Values at) { return loss(x, at, shift); }, scale, bench.values(gradients.scale),
                    kCurved);
    expect_gradient([&](Values at) { return loss(x, scale, at); }, shift, bench.values(gradients.shift),
                    kCurved);
  }
}

TEST(BatchNorm, Names_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const Tensor x = bench.empty_image({2, 3, 4, 4}), y = bench.empty_image({2, 3, 4, 4});
  const Tensor channels = bench.empty({3}), four = bench.empty({4});
  const auto inference = [&](const Tensor& scale, const Tensor& written) {
    bench.run(BatchNormInference{.x = x,
                                 .scale = scale,
                                 .shift = channels,
                                 .running_mean = channels,
                                 .running_variance = channels,
                                 .y = written});
  };
  expect_error<ShapeError>([&] { inference(four, y); },
                           {"BatchNormInference", "scale is [4]", "must be [3]"});
  expect_error<ShapeError>(
      [&] {
        inference(channels, bench.empty({2, 3, 4, 4}));
      },
      {"BatchNormInference", "y is in layout row-major", "x is in NHWC"});
  expect_error<ShapeError>(
      [&] {
        bench.run(BatchNormForward{.x = x,
                                   .scale = channels,
                                   .shift = channels,
                                   .running_mean = bench.empty({3}),
                                   .running_variance = bench.empty({3}),
                                   .mean = bench.empty({3}),
                                   .invstd = bench.empty({3}),
                                   .y = x});
      },
      {"BatchNormForward", "y must not be x"});
}

TEST(BatchNorm, Names_What_Does_Not_Fit_A_Sum) {
  Workbench bench(oracle());
  const Shape shape{2, 3, 4, 4};
  const Tensor x = bench.empty_image(shape), y = bench.empty_image(shape), channels = bench.empty({3});
  const auto inference = [&](const Tensor& addend) {
    bench.run(BatchNormInference{.x = x,
                                 .scale = channels,
                                 .shift = channels,
                                 .running_mean = channels,
                                 .running_variance = channels,
                                 .addend = addend,
                                 .y = y});
  };
  expect_error<ShapeError>(
      [&] {
        inference(bench.empty_image({2, 3, 4, 5}));
      },
      {"BatchNormInference", "addend is [2,3,4,5]", "must be [2,3,4,4]"});
  expect_error<ShapeError>([&] { inference(bench.empty(shape)); },
                           {"BatchNormInference", "addend is in layout row-major", "y is in NHWC"});
  const Tensor wide = bench.empty_image({2, 8, 4, 4});
  expect_error<ShapeError>([&] { inference(wide.channels(0, 3)); },
                           {"BatchNormInference", "addend", "a slice, but must be all channels"});
  const auto backward = [&](const Tensor& sum, const Tensor& addend_grad, const Tensor& x_grad,
                            Activation activation) {
    bench.run(BatchNormBackward{.x = x,
                                .scale = channels,
                                .shift = channels,
                                .mean = channels,
                                .invstd = channels,
                                .y = sum,
                                .y_grad = y,
                                .x_grad = x_grad,
                                .addend_grad = addend_grad,
                                .scale_grad = bench.empty({3}),
                                .shift_grad = bench.empty({3}),
                                .activation = activation});
  };
  constexpr Activation kRelu = Activation::kRelu;
  const Tensor x_grad = bench.empty_image(shape), addend_grad = bench.empty_image(shape);
  expect_error<ShapeError>([&] { backward({}, addend_grad, x_grad, kRelu); },
                           {"BatchNormBackward", "y and addend_grad are given together"});
  expect_error<ShapeError>([&] { backward(x, {}, x_grad, kRelu); },
                           {"BatchNormBackward", "y and addend_grad are given together"});
  expect_error<ShapeError>([&] { backward(x, addend_grad, x_grad, Activation::kNone); },
                           {"BatchNormBackward", "without a ReLU"});
  expect_error<ShapeError>([&] { backward(x, x_grad, x_grad, kRelu); },
                           {"BatchNormBackward", "x_grad must not be addend_grad"});
  expect_error<ShapeError>([&] { backward(x, wide.channels(0, 3), x_grad, kRelu); },
                           {"BatchNormBackward", "addend_grad", "a slice, but must be all channels"});
}

TEST(BatchNormInference, Adds_Before_The_Relu) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor y = bench.empty_image({1, 2, 1, 2});
    // As above: 11, 13; 0.25 and −0.75, with −12, 1; −0.5, 2 added.
    bench.run(BatchNormInference{.x = bench.image({1, 2, 1, 2}, {3, 7, 1, -1}),
                                 .scale = bench.tensor({2}, {2, 1}),
                                 .shift = bench.tensor({2}, {10, -0.25}),
                                 .running_mean = bench.tensor({2}, {1, 0}),
                                 .running_variance = bench.tensor({2}, {12, 0}),
                                 .addend = bench.image({1, 2, 1, 2}, {-12, 1, -0.5, 2}),
                                 .y = y,
                                 .epsilon = 4.0F,
                                 .activation = Activation::kRelu});
    EXPECT_EQ(bench.values(y), (Doubles{0, 14, 0, 1.25}));
  });
}

TEST(BatchNormBackward, Of_A_Sum_Gives_The_Gradients_Behind_The_Relu) {
  // With the ReLU's gradient taken apart, the other two gradients are those without an activation.
  const Shape shape{4, 3, 5, 3};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Doubles x = random_doubles("x", shape, -2, 2), addend = random_doubles("addend", shape);
    const Doubles scale = {1.7, -0.6, 0.9}, shift = {0.1, 0.2, -0.3};
    const Normalization plain(bench, shape, x, scale, shift, 1e-5F, Activation::kNone);
    Doubles y = bench.values(plain.y), masked = random_doubles("probe", shape);
    const Tensor y_grad = bench.image(shape, masked);
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = std::max(y[i] + addend[i], 0.0);
      if (y[i] == 0) masked[i] = 0;
    }
    const Gradients expected(bench, plain, bench.image(shape, masked), Activation::kNone);
    const Tensor x_grad = bench.empty_image(shape), addend_grad = bench.empty_image(shape);
    const Tensor scale_grad = bench.empty({3}), shift_grad = bench.empty({3});
    bench.run(BatchNormBackward{.x = plain.x,
                                .scale = plain.scale,
                                .shift = plain.shift,
                                .mean = plain.mean,
                                .invstd = plain.invstd,
                                .y = bench.image(shape, y),
                                .y_grad = y_grad,
                                .x_grad = x_grad,
                                .addend_grad = addend_grad,
                                .scale_grad = scale_grad,
                                .shift_grad = shift_grad,
                                .activation = Activation::kRelu});
    EXPECT_EQ(bench.values(addend_grad), bench.values(bench.image(shape, masked)));
    EXPECT_EQ(bench.values(x_grad), bench.values(expected.x));
    EXPECT_EQ(bench.values(scale_grad), bench.values(expected.scale));
    EXPECT_EQ(bench.values(shift_grad), bench.values(expected.shift));
  });
}

}  // namespace
}  // namespace gnc::tests
