/// Every rung of the convolutions' ladders against loops in double. The ops' tests see the newest rung alone.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/conv2d.h"
#include "tests/kernels/convolution_case.h"
#include "tests/kernels/kernel_test.h"
#include "tests/support/compare.h"

namespace gnc {
namespace {

using kernels::Bf16;
using kernels::Conv2dShape;
using kernels::MathMode;
using tests::DeviceArray;
using tests::for_each_version;
using tests::run_twice;
using namespace tests::convolution;

/// Compares what a rung left with sums of such terms; results in bf16 are rounded once more (2⁻⁸).
template <class T>
void expect_sums(const std::vector<double>& expected, const std::vector<T>& actual, std::int64_t first,
                 const tests::Terms& terms) {
  const double output_rounding = sizeof(T) == 2 ? 0x1p-8 : 0;
  const double sum_error = tests::sum_error(terms);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double value = kernels::to_float(actual[static_cast<std::size_t>(first) + i]);
    ASSERT_LE(std::abs(value - expected[i]), sum_error + output_rounding * std::abs(expected[i]))
        << "element " << i << ": " << value << " instead of " << expected[i];
  }
}

class ConvolutionKernels : public tests::KernelTest {};

TEST_F(ConvolutionKernels, Forward_EveryRungSumsTheProducts) {
  for_each_case([](auto zero, const Case& c, MathMode math) {
    using T = decltype(zero);
    const Conv2dShape shape = c.shape();
    const Sizes sizes(shape);
    Runs<T> x("x", sizes.x, c.gap), weights("weights", sizes.weights, c.gap);
    Runs<float> bias("bias", shape.y_channels, c.gap);
    std::vector<std::vector<double>> expected(kRuns, std::vector<double>(static_cast<std::size_t>(sizes.y)));
    for (int run = 0; run < kRuns; ++run) {
      auto& sums = expected[static_cast<std::size_t>(run)];
      for (std::size_t i = 0; i < sums.size(); ++i)
        sums[i] = bias.at(run, static_cast<std::int64_t>(i) % shape.y_channels);
      for_each_product(shape, [&](auto at_x, auto at_weights, auto at_y) {
        sums[static_cast<std::size_t>(at_y)] += x.at(run, at_x) * weights.at(run, at_weights);
      });
    }
    Runs<T> y("y", sizes.y, c.gap);
    const kernels::Conv2dForwardArgs<T> args{
        .shape = shape,
        .x = {x.device.data(), x.run_stride, nhwc(c.x_channels, c.height, c.width)},
        .weights = {weights.device.data(), weights.run_stride},
        .bias = {bias.device.data(), bias.run_stride},
        .y = {y.device.data(), y.run_stride, nhwc(shape.y_channels, shape.y_height, shape.y_width)},
        .runs = kRuns,
        .math = math};
    for_each_version(kernels::conv2d_forward_versions<T>(), args, [&](const auto& version) {
      const std::vector<T> result = run_twice([&] {
        y.device.reset();
        version.launch(args, nullptr);
        return y.device.download();
      });
      expect_gaps_untouched(y, result);
      for (int run = 0; run < kRuns; ++run)
        expect_sums(expected[static_cast<std::size_t>(run)], result, run * y.run_stride,
                    tests::products(shape.filter_elements() + 1));
    });
  });
}

/// Statistics of a channel in double, of what is stored.
struct ChannelMoments {
  double mean = 0, variance = 0, largest = 0;
};
template <class T>
ChannelMoments moments_of(const std::vector<T>& y, std::int64_t first, const Conv2dShape& shape,
                          int channel) {
  const auto at = [&](int pixel) {
    return double{kernels::to_float(
        y[static_cast<std::size_t>(first + std::int64_t{pixel} * shape.y_channels + channel)])};
  };
  ChannelMoments moments;
  for (int pixel = 0; pixel < shape.y_pixels(); ++pixel) {
    moments.mean += at(pixel) / shape.y_pixels();
    moments.largest = std::max(moments.largest, std::abs(at(pixel)));
  }
  for (int pixel = 0; pixel < shape.y_pixels(); ++pixel)
    moments.variance += (at(pixel) - moments.mean) * (at(pixel) - moments.mean) / shape.y_pixels();
  return moments;
}

/// The blocks' shares are sums of 8 rows of a lane, 8 lanes and at most 4 warps in fp32: of a mean 20
/// roundings of at most u·max|x| each, of a variance those and the square of the mean's error
/// (kernels/implicit_gemm_moments.cuh). Tiles are put together in double.
template <class T>
void expect_statistics(T, const Case& c, MathMode math) {
  constexpr double kRounding = 0x1p-24;
  constexpr float kEpsilon = 1e-5F;
  const Conv2dShape shape = c.shape();
  const Sizes sizes(shape);
  const auto channels = static_cast<std::size_t>(shape.y_channels);
  Runs<T> x("x", sizes.x, c.gap), weights("weights", sizes.weights, c.gap), y("y", sizes.y, c.gap);
  Runs<float> bias("bias", shape.y_channels, c.gap), mean("mean", shape.y_channels, c.gap),
      variance("variance", shape.y_channels, c.gap), invstd("invstd", shape.y_channels, c.gap);
  // Far from zero, where E[x²] − E[x]² would have lost the variance.
  for (float& value : bias.host) value += 100.0F;
  DeviceArray<float> shifted(bias.host);
  DeviceArray<float> workspace(
      std::vector<float>(kernels::conv2d_statistics_workspace(shape, kRuns) / sizeof(float), std::nanf("")));
  DeviceArray<int> tickets(std::vector<int>(kernels::conv2d_statistics_tickets(shape, kRuns)));
  const kernels::Conv2dForwardArgs<T> args{
      .shape = shape,
      .x = {x.device.data(), x.run_stride, nhwc(c.x_channels, c.height, c.width)},
      .weights = {weights.device.data(), weights.run_stride},
      .bias = {shifted.data(), bias.run_stride},
      .y = {y.device.data(), y.run_stride, nhwc(shape.y_channels, shape.y_height, shape.y_width)},
      .runs = kRuns,
      .math = math,
      .statistics = {.mean = {mean.device.data(), mean.run_stride},
                     .variance = {variance.device.data(), variance.run_stride},
                     .invstd = {invstd.device.data(), invstd.run_stride},
                     .workspace = workspace.data(),
                     .tickets = tickets.data(),
                     .epsilon = kEpsilon}};
  for_each_version(kernels::conv2d_forward_versions<T>(), args, [&](const auto& version) {
    const std::vector<float> variances = run_twice([&] {
      workspace.reset();
      y.device.reset();
      for (Runs<float>* of_channels : {&mean, &variance, &invstd}) of_channels->device.reset();
      version.launch(args, nullptr);
      EXPECT_THAT(tickets.download(), ::testing::Each(0));
      return variance.device.download();
    });
    const std::vector<T> stored = y.device.download();
    const std::vector<float> means = mean.device.download(), invstds = invstd.device.download();
    static_cast<void>(workspace.download());  // nothing lies beyond
    expect_gaps_untouched(mean, means);
    expect_gaps_untouched(variance, variances);
    expect_gaps_untouched(invstd, invstds);
    for (int run = 0; run < kRuns; ++run)
      for (std::size_t channel = 0; channel < channels; ++channel) {
        SCOPED_TRACE(fmt::format("run {}, channel {}", run, channel));
        const ChannelMoments expected =
            moments_of(stored, run * y.run_stride, shape, static_cast<int>(channel));
        const auto of_run = [&](const std::vector<float>& values) {
          return double{values[static_cast<std::size_t>(run * mean.run_stride) + channel]};
        };
        const double mean_error = 20 * kRounding * expected.largest;
        ASSERT_LE(std::abs(of_run(means) - expected.mean), mean_error);
        const double deviation = std::sqrt(expected.variance);
        const double variance_error =
            28 * kRounding * (expected.variance + deviation * expected.largest) + mean_error * mean_error;
        ASSERT_LE(std::abs(of_run(variances) - expected.variance), variance_error);
        const double of_variance = of_run(variances) + double{kEpsilon};
        ASSERT_NEAR(of_run(invstds), 1 / std::sqrt(of_variance), 4 * kRounding / std::sqrt(of_variance));
      }
  });
}

TEST_F(ConvolutionKernels, Forward_LeavesTheStatisticsOfWhatItStores) {
  for_each_case([](auto zero, const Case& c, MathMode math) { expect_statistics(zero, c, math); });
}

/// Five tiles of rows in two groups, and two strips of columns; groups of nine tiles.
TEST_F(ConvolutionKernels, Forward_LeavesTheStatisticsOfManyTiles) {
  for (const Case& c : {Case{5, 3, 8, 8, 70, 1, 1, 0, Gap::kOdd}, Case{65, 1, 8, 8, 4, 1, 1, 0}}) {
    expect_statistics(float{}, c, MathMode::kFp32);
    expect_statistics(Bf16{}, c, MathMode::kFp32);
  }
}

/// The blocks of TallTile and LargeTile, the last of them not full.
TEST_F(ConvolutionKernels, Forward_LeavesTheStatisticsOfLargeTiles) {
  for (const Case& c : {Case{71, 8, 16, 15, 60, 1, 1, 0}, Case{71, 8, 16, 15, 132, 1, 1, 0}}) {
    ASSERT_EQ(c.shape().y_pixels() % 128, 16);
    ASSERT_GE(c.shape().y_pixels() / 128, 132);
    expect_statistics(float{}, c, MathMode::kFp32);
    expect_statistics(float{}, c, MathMode::kTf32);
    expect_statistics(Bf16{}, c, MathMode::kFp32);
  }
}

TEST_F(ConvolutionKernels, BackwardInput_EveryRungSumsTheProducts) {
  for_each_case([](auto zero, const Case& c, MathMode math) {
    using T = decltype(zero);
    const Conv2dShape shape = c.shape();
    const Sizes sizes(shape);
    Runs<T> weights("weights", sizes.weights, c.gap), y_grad("y_grad", sizes.y, c.gap);
    std::vector<std::vector<double>> expected(kRuns, std::vector<double>(static_cast<std::size_t>(sizes.x)));
    for (int run = 0; run < kRuns; ++run)
      for_each_product(shape, [&](auto at_x, auto at_weights, auto at_y) {
        expected[static_cast<std::size_t>(run)][static_cast<std::size_t>(at_x)] +=
            y_grad.at(run, at_y) * weights.at(run, at_weights);
      });
    Runs<T> x_grad("x_grad", sizes.x, c.gap);
    const kernels::Conv2dBackwardInputArgs<T> args{
        .shape = shape,
        .weights = {weights.device.data(), weights.run_stride},
        .y_grad = {y_grad.device.data(), y_grad.run_stride,
                   nhwc(shape.y_channels, shape.y_height, shape.y_width)},
        .x_grad = {x_grad.device.data(), x_grad.run_stride, nhwc(c.x_channels, c.height, c.width)},
        .runs = kRuns,
        .math = math};
    for_each_version(kernels::conv2d_backward_input_versions<T>(), args, [&](const auto& version) {
      const std::vector<T> result = run_twice([&] {
        x_grad.device.reset();
        version.launch(args, nullptr);
        return x_grad.device.download();
      });
      expect_gaps_untouched(x_grad, result);
      for (int run = 0; run < kRuns; ++run)
        expect_sums(expected[static_cast<std::size_t>(run)], result, run * x_grad.run_stride,
                    tests::products(shape.taps() * shape.y_channels));
    });
  });
}

TEST_F(ConvolutionKernels, BackwardWeights_EveryRungSumsTheProducts) {
  for_each_case([](auto zero, const Case& c, MathMode math) {
    using T = decltype(zero);
    const Conv2dShape shape = c.shape();
    const Sizes sizes(shape);
    Runs<T> x("x", sizes.x, c.gap), y_grad("y_grad", sizes.y, c.gap);
    std::vector<std::vector<double>> weights_sums(
        kRuns, std::vector<double>(static_cast<std::size_t>(sizes.weights)));
    for (int run = 0; run < kRuns; ++run)
      for_each_product(shape, [&](auto at_x, auto at_weights, auto at_y) {
        weights_sums[static_cast<std::size_t>(run)][static_cast<std::size_t>(at_weights)] +=
            y_grad.at(run, at_y) * x.at(run, at_x);
      });
    Runs<float> weights_grad("weights_grad", sizes.weights, c.gap);
    kernels::Conv2dBackwardWeightsArgs<T> args{
        .shape = shape,
        .x = {x.device.data(), x.run_stride, nhwc(c.x_channels, c.height, c.width)},
        .y_grad = {y_grad.device.data(), y_grad.run_stride,
                   nhwc(shape.y_channels, shape.y_height, shape.y_width)},
        .weights_grad = {weights_grad.device.data(), weights_grad.run_stride},
        .workspace = nullptr,
        .runs = kRuns,
        .math = math};
    // NaN: a partial sum that nobody wrote would show.
    DeviceArray<float> workspace(
        std::vector<float>(kernels::conv2d_backward_weights_workspace(args) / sizeof(float), std::nanf("")));
    args.workspace = workspace.data();
    for_each_version(kernels::conv2d_backward_weights_versions<T>(), args, [&](const auto& version) {
      const auto result = run_twice([&] {
        for (DeviceArray<float>* array : {&weights_grad.device, &workspace}) array->reset();
        version.launch(args, nullptr);
        workspace.download();  // throws where its end was overwritten
        return weights_grad.device.download();
      });
      expect_gaps_untouched(weights_grad, result);
      for (int run = 0; run < kRuns; ++run)
        expect_sums(weights_sums[static_cast<std::size_t>(run)], result, run * weights_grad.run_stride,
                    tests::products(shape.y_pixels()));
    });
  });
}

}  // namespace
}  // namespace gnc
