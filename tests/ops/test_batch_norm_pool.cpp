/// Batch normalisation with 2x2 maximum pooling behind it: against the two ops one after the other, ties,
/// NaN, errors. Cases: cases/batch_norm_pool.h.

#include "engine/ops/batch_norm_pool.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops/pooling.h"
#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;

constexpr Conv2dGeometry kWindow{.kernel = 2, .stride = 2, .padding = 0};

/// The operands of both ways to go forward and back.
struct Layer {
  Tensor x, scale, shift, y_grad;
  Shape pooled;
  Activation activation;

  Layer(Workbench& bench, const Shape& shape, Activation what_follows)
      : x(bench.image(shape, random_doubles("x", shape, -1, 3))),
        scale(bench.tensor({shape[1]}, random_doubles("scale", {shape[1]}, -1.5, 1.5))),
        shift(bench.tensor({shape[1]}, random_doubles("shift", {shape[1]}))),
        pooled{shape[0], shape[1], shape[2] / 2, shape[3] / 2},
        activation(what_follows) {
    // Whole numbers: their sums are exact in any order.
    Doubles gradients = random_doubles("y_grad", pooled, -4, 4);
    for (double& gradient : gradients) gradient = std::round(gradient);
    y_grad = bench.image(pooled, gradients);
  }
};

/// What a way to go leaves.
struct Passed {
  Tensor running_mean, running_variance, mean, invstd, y, winner, x_grad, scale_grad, shift_grad;

  Passed(Workbench& bench, const Layer& layer) {
    const Shape channels = layer.scale.shape();
    running_mean = bench.tensor(channels, random_doubles("running_mean", channels));
    running_variance = bench.tensor(channels, random_doubles("running_variance", channels, 0.5, 2));
    mean = bench.empty(channels);
    invstd = bench.empty(channels);
    y = bench.empty_image(layer.pooled);
    winner = bench.blank({.shape = layer.pooled, .dtype = DType::kU8, .layout = y.layout()});
    x_grad = bench.blank(layer.x.spec());
    scale_grad = bench.empty(channels);
    shift_grad = bench.empty(channels);
  }
};

Passed fused(Workbench& bench, const Layer& layer) {
  const Passed out(bench, layer);
  bench.run(BatchNormMaxPoolForward{.x = layer.x,
                                    .scale = layer.scale,
                                    .shift = layer.shift,
                                    .running_mean = out.running_mean,
                                    .running_variance = out.running_variance,
                                    .mean = out.mean,
                                    .invstd = out.invstd,
                                    .y = out.y,
                                    .winner = out.winner,
                                    .activation = layer.activation});
  bench.run(BatchNormMaxPoolBackward{.x = layer.x,
                                     .scale = layer.scale,
                                     .shift = layer.shift,
                                     .mean = out.mean,
                                     .invstd = out.invstd,
                                     .y_grad = layer.y_grad,
                                     .winner = out.winner,
                                     .x_grad = out.x_grad,
                                     .scale_grad = out.scale_grad,
                                     .shift_grad = out.shift_grad,
                                     .activation = layer.activation});
  return out;
}

Passed one_after_the_other(Workbench& bench, const Layer& layer) {
  const Passed out(bench, layer);
  const Tensor normalized = bench.blank(layer.x.spec()), gradient = bench.blank(layer.x.spec());
  bench.run(BatchNormForward{.x = layer.x,
                             .scale = layer.scale,
                             .shift = layer.shift,
                             .running_mean = out.running_mean,
                             .running_variance = out.running_variance,
                             .mean = out.mean,
                             .invstd = out.invstd,
                             .y = normalized,
                             .activation = layer.activation});
  bench.run(MaxPoolForward{.geometry = kWindow, .x = normalized, .y = out.y, .winner = out.winner});
  bench.run(
      MaxPoolBackward{.geometry = kWindow, .y_grad = layer.y_grad, .winner = out.winner, .x_grad = gradient});
  bench.run(BatchNormBackward{.x = layer.x,
                              .scale = layer.scale,
                              .shift = layer.shift,
                              .mean = out.mean,
                              .invstd = out.invstd,
                              .y_grad = gradient,
                              .x_grad = out.x_grad,
                              .scale_grad = out.scale_grad,
                              .shift_grad = out.shift_grad,
                              .activation = layer.activation});
  return out;
}

void expect_near(const Doubles& expected, const Doubles& actual, double absolute, double relative,
                 const char* what) {
  ASSERT_EQ(expected.size(), actual.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], absolute + relative * std::fabs(expected[i])) << what << ' ' << i;
}

TEST(BatchNormMaxPool, Is_To_The_Bit_What_The_Two_Ops_Are) {
  for (const BackendChoice& choice : backend_choices()) {
    Backend& backend = backend_named(choice.device, choice.precision);
    // Rounded to bf16, many pixels of a window are equal: the first of them wins.
    for (const Shape& shape : {Shape{3, 19, 6, 4}, Shape{5, 24, 8, 8}})
      for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
        SCOPED_TRACE(fmt::format("{}, x {}, ReLU {}", choice.to_string(), shape.to_string(),
                                 activation == Activation::kRelu));
        Workbench bench(backend, backend.image_dtype());
        const Layer layer(bench, shape, activation);
        const Passed expected = one_after_the_other(bench, layer), actual = fused(bench, layer);
        EXPECT_EQ(bench.values(actual.mean), bench.values(expected.mean));
        EXPECT_EQ(bench.values(actual.invstd), bench.values(expected.invstd));
        EXPECT_EQ(bench.values(actual.running_mean), bench.values(expected.running_mean));
        EXPECT_EQ(bench.values(actual.running_variance), bench.values(expected.running_variance));
        EXPECT_EQ(bench.values(actual.y), bench.values(expected.y));
        EXPECT_EQ(bench.values(actual.winner), bench.values(expected.winner));
        EXPECT_EQ(bench.values(actual.shift_grad), bench.values(expected.shift_grad));  // exact sums
        // The other sum adds up windows instead of pixels: of at most 4·4 each, in an order of its own.
        const double windows = static_cast<double>(layer.pooled.elements()) / shape[1];
        const double sum =
            2 * sum_error({.count = windows, .bound = 16, .deviation = 4}) + 32 * kUnitRoundoff;
        expect_near(bench.values(expected.scale_grad), bench.values(actual.scale_grad), sum,
                    2 * kUnitRoundoff, "scale_grad");
        // scale·invstd (at most 3) times x̂·scale_grad/m with |x̂| <= 4, and four roundings of numbers up to 8;
        // then one to the images' dtype, that may fall to the other side.
        const double unrounded = 3 * (4 * sum / (4 * windows) + 4 * 8 * kUnitRoundoff);
        const double stored = backend.image_dtype() == DType::kBf16 ? kBf16UnitRoundoff : kUnitRoundoff;
        expect_near(bench.values(expected.x_grad), bench.values(actual.x_grad), unrounded, 2 * stored,
                    "x_grad");
      }
  }
}

/// Four windows of one picture with mean 1.75, the same in 19 channels, so that loops over vectors of
/// channels and their remainders are both taken; but for a negative scale in channel 1, and a NaN in channel
/// 2, whose pixels all become NaN.
TEST(BatchNormMaxPoolForward, Gives_Ties_To_The_First_And_Lets_NaN_Win) {
  constexpr int kChannels = 19;
  const Shape shape{1, kChannels, 4, 4};
  const Doubles picture = {1, 5, 3,  3,  //
                           5, 5, 3,  3,  //
                           0, 0, -7, 2,  //
                           0, 1, 2,  2};
  Doubles scale(kChannels, 1.0), x;
  scale[1] = -1;
  for (int c = 0; c < kChannels; ++c) x.insert(x.end(), picture.begin(), picture.end());
  x[2 * picture.size() + 6] = NAN;
  for_each_backend([&](Backend& backend) {
    for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
      SCOPED_TRACE(fmt::format("{}, ReLU {}", backend.name(), activation == Activation::kRelu));
      Workbench bench(backend);
      Layer layer(bench, shape, activation);
      layer.x = bench.image(shape, x);
      layer.scale = bench.tensor({kChannels}, scale);
      layer.shift = bench.tensor({kChannels}, Doubles(kChannels, 0.0));
      const Passed out = fused(bench, layer);
      const Doubles winner = bench.values(out.winner), y = bench.values(out.y);
      // ReLU makes zeros of the third window, all of it below the mean.
      const Doubles largest = activation == Activation::kRelu ? Doubles{1, 0, 0, 1} : Doubles{1, 0, 3, 1};
      for (std::size_t i = 0; i < winner.size(); ++i) {
        const std::size_t channel = i / 4;
        EXPECT_EQ(winner[i], channel == 1 || channel == 2 ? 0 : largest[i % 4]) << "channel " << channel;
        EXPECT_EQ(std::isnan(y[i]), channel == 2) << "channel " << channel;
      }
    }
  });
}

TEST(BatchNormMaxPool, Refuses_Odd_Extents_And_Names_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const Tensor channels = bench.empty({3}), written = bench.empty({3});
  const auto forward = [&](const Shape& shape, const Shape& pooled, DType of_winner) {
    bench.run(BatchNormMaxPoolForward{
        .x = bench.empty_image(shape),
        .scale = channels,
        .shift = channels,
        .running_mean = written,
        .running_variance = written,
        .mean = written,
        .invstd = written,
        .y = bench.empty_image(pooled),
        .winner = bench.blank({.shape = pooled, .dtype = of_winner, .layout = oracle().image_layout()})});
  };
  const auto backward = [&](const Shape& shape, const Shape& pooled) {
    bench.run(BatchNormMaxPoolBackward{
        .x = bench.empty_image(shape),
        .scale = channels,
        .shift = channels,
        .mean = channels,
        .invstd = channels,
        .y_grad = bench.empty_image(pooled),
        .winner = bench.blank({.shape = pooled, .dtype = DType::kU8, .layout = oracle().image_layout()}),
        .x_grad = bench.empty_image(shape),
        .scale_grad = written,
        .shift_grad = written});
  };
  for (const Shape& odd : {Shape{2, 3, 5, 4}, Shape{2, 3, 4, 5}}) {
    expect_error<ShapeError>(
        [&] {
          forward(odd, {2, 3, 2, 2}, DType::kU8);
        },
        {"BatchNormMaxPoolForward", odd.to_string(), "even extents"});
    expect_error<ShapeError>(
        [&] {
          backward(odd, {2, 3, 2, 2});
        },
        {"BatchNormMaxPoolBackward", odd.to_string(), "even extents"});
  }
  expect_error<ShapeError>(
      [&] {
        forward({2, 3, 4, 4}, {2, 3, 4, 4}, DType::kU8);
      },
      {"BatchNormMaxPoolForward", "y is [2,3,4,4]", "must be [2,3,2,2]"});
  expect_error<ShapeError>(
      [&] {
        forward({2, 3, 4, 4}, {2, 3, 2, 2}, DType::kI32);
      },
      {"BatchNormMaxPoolForward", "winner is int32", "must be uint8"});
  expect_error<ShapeError>(
      [&] {
        backward({2, 3, 4, 4}, {2, 3, 2, 1});
      },
      {"BatchNormMaxPoolBackward", "y_grad is [2,3,2,1]", "must be [2,3,2,2]"});
}

}  // namespace
}  // namespace gnc::tests
