/// How layers start: PyTorch's laws, by their bounds and moments.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "engine/backend.h"
#include "engine/modules/batch_norm.h"
#include "engine/modules/conv2d.h"
#include "engine/modules/linear.h"
#include "engine/parameter_arena.h"

namespace gnc {
namespace {

std::vector<double> drawn(Module& module, const std::string& name) {
  const std::unique_ptr<Backend> backend = open_backend("reference");
  ParameterArena parameters(module, *backend, 1, DType::kF64);
  parameters.initialize(0, 5);
  const HostTensor values = parameters.read(parameters.find(name).parameter->value, 0);
  const auto numbers = values.values<double>();
  return {numbers.begin(), numbers.end()};
}

double mean_square(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return sum / static_cast<double>(values.size());
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// Five standard errors of the mean of `count` squares of normal numbers, relative: √(2/count) each.
double five_errors(std::size_t count) { return 5 * std::sqrt(2.0 / static_cast<double>(count)); }

void expect_uniform(const std::vector<double>& values, double bound) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  EXPECT_LE(largest, bound);
  // All below 0.9 of the bound: 1 in 10²⁰ for the smallest tensor here, of 448 numbers.
  EXPECT_GT(largest, 0.9 * bound);
  // Squares of uniform numbers vary less than those of normal ones: √(4/5) of their mean instead of √2.
  const double variance = bound * bound / 3;
  EXPECT_NEAR(mean_square(values), variance, five_errors(values.size()) * variance);
  EXPECT_NEAR(mean(values), 0, 5 * std::sqrt(variance / static_cast<double>(values.size())));
}

void expect_normal(const std::vector<double>& values, double variance) {
  EXPECT_NEAR(mean_square(values), variance, five_errors(values.size()) * variance);
  EXPECT_NEAR(mean(values), 0, 5 * std::sqrt(variance / static_cast<double>(values.size())));
  // A uniform law of that variance ends at √3 deviations.
  const double largest = *std::max_element(values.begin(), values.end());
  EXPECT_GT(largest, 2 * std::sqrt(variance));
}

void expect_all(const std::vector<double>& values, double expected) {
  EXPECT_EQ(values, std::vector<double>(values.size(), expected));
}

constexpr int kIn = 17, kOut = 448, kKernel = 3;

Conv2d convolution(ConvolutionInit init) {
  return Conv2d({.in_channels = kIn,
                 .out_channels = kOut,
                 .geometry = {.kernel = kKernel, .stride = 1, .padding = 1},
                 .init = init});
}

TEST(Initialization, OfAConvolutionByDefault_IsKaimingUniformWithTheSquareRootOf5) {
  Conv2d layer = convolution(ConvolutionInit::kPyTorchDefault);
  // gain·√(3/fan_in) with gain √(2/(1+5)); the bias takes 1/√fan_in by name.
  const double fan_in = kIn * kKernel * kKernel, bound = std::sqrt(2.0 / 6) * std::sqrt(3 / fan_in);
  expect_uniform(drawn(layer, ".weight"), bound);
  expect_uniform(drawn(layer, ".bias"), 1 / std::sqrt(fan_in));
}

TEST(Initialization, OfAConvolutionByFanOut_IsKaimingNormal) {
  Conv2d layer = convolution(ConvolutionInit::kKaimingNormalFanOut);
  expect_normal(drawn(layer, ".weight"), 2.0 / (kOut * kKernel * kKernel));
  expect_all(drawn(layer, ".bias"), 0);
}

TEST(Initialization, OfAConvolutionByFanIn_IsKaimingNormal) {
  Conv2d layer = convolution(ConvolutionInit::kKaimingNormalFanIn);
  expect_normal(drawn(layer, ".weight"), 2.0 / (kIn * kKernel * kKernel));
  expect_all(drawn(layer, ".bias"), 0);
}

TEST(Initialization, OfALinearLayerByDefault_IsUniformByItsInputs) {
  Linear layer({.in_features = kIn, .out_features = kOut});
  expect_uniform(drawn(layer, ".weight"), 1 / std::sqrt(double{kIn}));
  expect_uniform(drawn(layer, ".bias"), 1 / std::sqrt(double{kIn}));
}

TEST(Initialization, OfALinearLayerOfVgg_IsASmallNormal) {
  Linear layer({.in_features = kIn, .out_features = kOut, .init = LinearInit::kSmallNormal});
  expect_normal(drawn(layer, ".weight"), 1e-4);
  expect_all(drawn(layer, ".bias"), 0);
}

TEST(Initialization, OfTheLastLayerOfANarrowResNet_IsKaimingNormalWithTheDefaultBias) {
  Linear layer({.in_features = kIn, .out_features = kOut, .init = LinearInit::kKaimingNormal});
  expect_normal(drawn(layer, ".weight"), 2.0 / kIn);
  expect_uniform(drawn(layer, ".bias"), 1 / std::sqrt(double{kIn}));
}

TEST(Initialization, OfTheLastLayerOfADenseNet_IsTheDefaultWithoutBias) {
  Linear layer({.in_features = kIn, .out_features = kOut, .init = LinearInit::kZeroBias});
  expect_uniform(drawn(layer, ".weight"), 1 / std::sqrt(double{kIn}));
  expect_all(drawn(layer, ".bias"), 0);
}

TEST(Initialization, OfBatchNorm_IsTheIdentity) {
  BatchNorm layer(kOut, Activation::kNone);
  expect_all(drawn(layer, ".weight"), 1);
  expect_all(drawn(layer, ".bias"), 0);
  expect_all(drawn(layer, ".running_mean"), 0);
  expect_all(drawn(layer, ".running_var"), 1);
}

TEST(Initialization, OfTwoLayersAlikeButForTheirNames_Differs) {
  Linear layer({.in_features = kIn, .out_features = kOut});
  const std::unique_ptr<Backend> backend = open_backend("reference");
  const auto weights = drawn(layer, ".weight"), bias = drawn(layer, ".bias");
  EXPECT_NE(std::vector(weights.begin(), weights.begin() + kOut), bias);
}

}  // namespace
}  // namespace gnc
