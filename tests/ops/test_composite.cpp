/// The chain rule through a small network: every op behind the one before it, against differences of its
/// loss.

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "engine/ops/all.h"
#include "tests/ops/gradients.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;
using Values = std::span<const double>;

constexpr int kBatch = 3, kClasses = 4, kChannels = 5;
constexpr Conv2dGeometry kConvolution = {.kernel = 3, .stride = 1, .padding = 1};
constexpr Conv2dGeometry kMaxPool = {.kernel = 2, .stride = 2, .padding = 0};
constexpr Conv2dGeometry kGlobal = {.kernel = 3, .stride = 1, .padding = 0};

/// Everything the loss depends on.
enum Input : std::size_t { kX, kConvWeights, kScale, kShift, kLinearWeights, kLinearBias, kInputs };
using Point = std::array<Doubles, kInputs>;

std::array<Shape, kInputs> shapes() {
  return {Shape{kBatch, 2, 6, 6},
          {kChannels, 2, 3, 3},
          {kChannels},
          {kChannels},
          {kClasses, kChannels},
          {kClasses}};
}

struct LossAndGradients {
  double loss;
  Point gradients;
};

/// conv → batch norm + ReLU → max pool → average pool → linear → mean cross-entropy, and back.
LossAndGradients train_step(const Point& point) {
  Workbench bench(oracle(), DType::kF64);
  const auto shape = shapes();
  const Tensor x = bench.image(shape[kX], point[kX]);
  const Tensor conv_weights = bench.weights(shape[kConvWeights], point[kConvWeights]);
  const Tensor scale = bench.tensor(shape[kScale], point[kScale]);
  const Tensor shift = bench.tensor(shape[kShift], point[kShift]);
  const Tensor linear_weights = bench.tensor(shape[kLinearWeights], point[kLinearWeights]);
  const Tensor linear_bias = bench.tensor(shape[kLinearBias], point[kLinearBias]);
  const Tensor labels = bench.integers({kBatch}, DType::kI32, {2, 0, 3});

  const Shape wide{kBatch, kChannels, 6, 6}, narrow{kBatch, kChannels, 3, 3}, single{kBatch, kChannels, 1, 1};
  const Shape logits_shape{kBatch, kClasses};
  const Tensor convolved = bench.empty_image(wide), normalized = bench.empty_image(wide);
  const Tensor mean = bench.empty({kChannels}), invstd = bench.empty({kChannels});
  const Tensor pooled = bench.empty_image(narrow), averaged = bench.empty_image(single);
  const Tensor winner = bench.blank({.shape = narrow, .dtype = DType::kU8, .layout = pooled.layout()});
  const Tensor features = averaged.reshaped({kBatch, kChannels});
  const Tensor logits = bench.empty(logits_shape), losses = bench.empty({kBatch});

  bench.run(Conv2dForward{.geometry = kConvolution, .x = x, .weights = conv_weights, .y = convolved});
  bench.run(BatchNormForward{.x = convolved,
                             .scale = scale,
                             .shift = shift,
                             .running_mean = bench.tensor({kChannels}, Doubles(kChannels, 0.0)),
                             .running_variance = bench.tensor({kChannels}, Doubles(kChannels, 1.0)),
                             .mean = mean,
                             .invstd = invstd,
                             .y = normalized,
                             .activation = Activation::kRelu});
  bench.run(MaxPoolForward{.geometry = kMaxPool, .x = normalized, .y = pooled, .winner = winner});
  bench.run(AveragePoolForward{.geometry = kGlobal, .x = pooled, .y = averaged});
  bench.run(Gemm{.a = features, .b = linear_weights, .c = logits, .transpose_b = Transpose::kYes});
  bench.run(BiasForward{.bias = linear_bias, .y = logits});
  bench.run(CrossEntropy{.logits = logits, .labels = labels, .losses = losses, .logits_grad = logits});

  const Tensor bias_grad = bench.empty({kClasses}), linear_grad = bench.empty(shape[kLinearWeights]);
  const Tensor averaged_grad = bench.empty_image(single), pooled_grad = bench.empty_image(narrow);
  const Tensor normalized_grad = bench.empty_image(wide), x_grad = bench.empty_image(shape[kX]);
  const Tensor scale_grad = bench.empty({kChannels}), shift_grad = bench.empty({kChannels});
  const Tensor conv_grad = bench.empty_weights(shape[kConvWeights]);
  bench.run(BiasBackward{.y_grad = logits, .bias_grad = bias_grad});
  bench.run(Gemm{.a = logits, .b = features, .c = linear_grad, .transpose_a = Transpose::kYes});
  bench.run(Gemm{.a = logits, .b = linear_weights, .c = averaged_grad.reshaped({kBatch, kChannels})});
  bench.run(AveragePoolBackward{.geometry = kGlobal, .y_grad = averaged_grad, .x_grad = pooled_grad});
  bench.run(MaxPoolBackward{
      .geometry = kMaxPool, .y_grad = pooled_grad, .winner = winner, .x_grad = normalized_grad});
  bench.run(BatchNormBackward{.x = convolved,
                              .scale = scale,
                              .shift = shift,
                              .mean = mean,
                              .invstd = invstd,
                              .y_grad = normalized_grad,
                              .x_grad = normalized_grad,
                              .scale_grad = scale_grad,
                              .shift_grad = shift_grad,
                              .activation = Activation::kRelu});
  bench.run(Conv2dBackwardInput{
      .geometry = kConvolution, .weights = conv_weights, .y_grad = normalized_grad, .x_grad = x_grad});
  bench.run(Conv2dBackwardWeights{
      .geometry = kConvolution, .x = x, .y_grad = normalized_grad, .weights_grad = conv_grad});

  double loss = 0;
  for (const double sample : bench.values(losses)) loss += sample / kBatch;
  return {loss,
          {bench.values(x_grad), bench.values(conv_grad), bench.values(scale_grad), bench.values(shift_grad),
           bench.values(linear_grad), bench.values(bias_grad)}};
}

TEST(Network, Gradients_Of_All_Inputs_Match_Differences) {
  constexpr std::array<const char*, kInputs> kNames = {"x",     "conv weights",   "scale",
                                                       "shift", "linear weights", "linear bias"};
  // Short steps: a longer one carries some pixel over the kink of the ReLU or changes the winner of a pool.
  // Rounding of the loss, 1e-16, over the step is 1e-11.
  constexpr GradientCheck kShortSteps = {
      .difference = Difference::kFourPoint, .step = 1e-5, .tolerance = {.absolute = 1e-9, .relative = 1e-7}};
  const auto shape = shapes();
  Point point;
  for (std::size_t i = 0; i < kInputs; ++i) point[i] = random_doubles(kNames[i], shape[i]);
  const LossAndGradients analytic = train_step(point);
  EXPECT_GT(analytic.loss, 0.5);
  for (std::size_t i = 0; i < kInputs; ++i) {
    SCOPED_TRACE(kNames[i]);
    const auto loss = [&](Values at) {
      Point moved = point;
      moved[i].assign(at.begin(), at.end());
      return train_step(moved).loss;
    };
    expect_gradient(loss, point[i], analytic.gradients[i], kShortSteps);
  }
}

}  // namespace
}  // namespace gnc::tests
