/// Every rung of batch_norm_conv2d_backward against loops in double.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>
#include <vector>

#include "kernels/batch_norm_conv2d.h"
#include "tests/kernels/convolution_case.h"
#include "tests/kernels/kernel_test.h"
#include "tests/support/compare.h"

namespace gnc {
namespace {

using kernels::Bf16;
using kernels::Conv2dShape;
using kernels::GradientMode;
using kernels::MathMode;
using tests::DeviceArray;
using tests::for_each_version;
using tests::run_twice;
using namespace tests::convolution;

constexpr double kUnit = 0x1p-24;

/// Numbers with which every activation is an odd multiple of 1/64: a mask that rounding cannot turn.
std::vector<float> eighths(std::string_view name, std::int64_t count, double offset) {
  const RandomStream stream(20261201, name);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(std::floor(stream.uniform(i) * 17) / 8 - 1 + offset);
  return values;
}

template <class T>
std::vector<T> stored(const std::vector<float>& values) {
  std::vector<T> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) result[i] = kernels::from_float<T>(values[i]);
  return result;
}

/// What the op gives one run, and how large what is added up was.
struct Expected {
  std::vector<double> x_grad, shift_grad, scale_grad, shift_terms, scale_terms;
  double largest = 0;  // |gradient in between|
};

/// The operands of the normalisation. x and x_grad are slices of images of `pitch` channels.
template <class T>
struct Norm {
  static constexpr float kInvstd = 0.5F, kShift = 1.0F / 64;
  std::int64_t pixels, channels, pitch, image_stride, channel_stride;
  std::vector<T> x_host, x_grad_host;
  std::vector<float> mean_host, scale_host, before_host;
  DeviceArray<T> x, x_grad;
  DeviceArray<float> mean, scale, invstd, shift, scale_grad, shift_grad, deferred_mean, deferred_tilt;

  Norm(const Conv2dShape& shape, Gap gap, int other_channels)
      : pixels(shape.x_pixels()),
        channels(shape.x_channels),
        pitch(channels + other_channels),
        image_stride(pixels * pitch + static_cast<int>(gap)),
        channel_stride(channels + static_cast<int>(gap)),
        x_host(stored<T>(eighths("x", kRuns * image_stride, 0))),
        x_grad_host(draw<T>("x_grad", kRuns * image_stride)),
        mean_host(eighths("mean", kRuns * channel_stride, 1.0 / 16)),
        scale_host(signs(kRuns * channel_stride)),
        before_host(draw<float>("deferred", kRuns * channel_stride)),
        x(x_host),
        x_grad(x_grad_host),
        mean(mean_host),
        scale(scale_host),
        invstd(std::vector<float>(scale_host.size(), kInvstd)),
        shift(std::vector<float>(scale_host.size(), kShift)),
        scale_grad(before_host),
        shift_grad(before_host),
        deferred_mean(before_host),
        deferred_tilt(before_host) {}

  static std::vector<float> signs(std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count), 3.0F);
    for (std::size_t i = 0; i < values.size(); i += 3) values[i] = -3.0F;
    return values;
  }
  std::size_t channel_at(int run, std::int64_t channel) const {
    return static_cast<std::size_t>(run * channel_stride + channel);
  }
  std::size_t at(int run, std::int64_t pixel, std::int64_t channel) const {
    return static_cast<std::size_t>(run * image_stride + pixel * pitch + channel);
  }

  kernels::BatchNormSharedBackwardArgs<T> args(float* workspace, int* tickets, GradientMode deferred_mode) {
    return {.x = x.data(),
            .scale = scale.data(),
            .shift = shift.data(),
            .mean = mean.data(),
            .invstd = invstd.data(),
            .y_grad = nullptr,
            .x_grad = x_grad.data(),
            .scale_grad = scale_grad.data(),
            .shift_grad = shift_grad.data(),
            .deferred_mean = deferred_mean.data(),
            .deferred_tilt = deferred_tilt.data(),
            .workspace = workspace,
            .tickets = tickets,
            .x_run_stride = image_stride,
            .x_pitch = pitch,
            .scale_run_stride = channel_stride,
            .shift_run_stride = channel_stride,
            .mean_run_stride = channel_stride,
            .invstd_run_stride = channel_stride,
            .y_grad_run_stride = 0,
            .x_grad_run_stride = image_stride,
            .x_grad_pitch = pitch,
            .scale_grad_run_stride = channel_stride,
            .shift_grad_run_stride = channel_stride,
            .deferred_mean_run_stride = channel_stride,
            .deferred_tilt_run_stride = channel_stride,
            .extents = {.rows = pixels, .channels = static_cast<int>(channels), .runs = kRuns},
            .activation = kernels::Activation::kRelu,
            .deferred_mode = deferred_mode};
  }

  /// From the gradient in between, [pixels, channels].
  Expected expected(int run, const std::vector<double>& between, GradientMode x_grad_mode) const {
    const auto of_channels = [&] { return std::vector<double>(static_cast<std::size_t>(channels)); };
    Expected result{.x_grad = between,
                    .shift_grad = of_channels(),
                    .scale_grad = of_channels(),
                    .shift_terms = of_channels(),
                    .scale_terms = of_channels()};
    for (std::size_t i = 0; i < between.size(); ++i) {
      const auto pixel = static_cast<std::int64_t>(i) / channels,
                 channel = static_cast<std::int64_t>(i) % channels;
      const auto c = static_cast<std::size_t>(channel);
      const double deviation =
          double{kernels::to_float(x_host[at(run, pixel, channel)])} - mean_host[channel_at(run, channel)];
      const double slope = double{scale_host[channel_at(run, channel)]} * kInvstd;
      const double gradient = slope * deviation + kShift > 0 ? between[i] : 0;
      result.x_grad[i] = slope * gradient;
      if (x_grad_mode == GradientMode::kAccumulate)
        result.x_grad[i] += kernels::to_float(x_grad_host[at(run, pixel, channel)]);
      result.shift_grad[c] += gradient;
      result.scale_grad[c] += gradient * deviation * kInvstd;
      result.shift_terms[c] += std::abs(gradient);
      result.scale_terms[c] += std::abs(gradient * deviation);
      result.largest = std::max(result.largest, std::abs(between[i]));
    }
    return result;
  }
};

/// The gradient in between, of every run.
template <class T>
std::vector<std::vector<double>> gradients_between(const Conv2dShape& shape, const Runs<T>& weights,
                                                   const Runs<T>& y_grad) {
  std::vector<std::vector<double>> gradients(kRuns,
                                             std::vector<double>(static_cast<std::size_t>(Sizes(shape).x)));
  for (int run = 0; run < kRuns; ++run)
    for_each_product(shape, [&](auto at_x, auto at_weights, auto at_y) {
      gradients[static_cast<std::size_t>(run)][static_cast<std::size_t>(at_x)] +=
          y_grad.at(run, at_y) * weights.at(run, at_weights);
    });
  return gradients;
}

/// An element in between is wrong by e at most; a thread adds 16 rows of a tile, a block 8 threads: 23
/// roundings, and one of every product with a deviation. Tiles are added in double.
template <class T>
void expect_gradients(T, const Case& c, MathMode math, GradientMode deferred_mode, GradientMode x_grad_mode,
                      int other_channels) {
  const Conv2dShape shape = c.shape();
  const Sizes sizes(shape);
  Runs<T> weights("weights", sizes.weights, c.gap), y_grad("y_grad", sizes.y, c.gap);
  const auto between = gradients_between(shape, weights, y_grad);
  Norm<T> norm(shape, c.gap, other_channels);
  // NaN: a partial sum that nobody wrote would show.
  DeviceArray<float> workspace(
      std::vector<float>(kernels::batch_norm_conv2d_workspace(shape, kRuns) / sizeof(float), std::nanf("")));
  DeviceArray<int> tickets(std::vector<int>(kernels::batch_norm_conv2d_tickets(shape, kRuns)));
  const kernels::BatchNormConv2dBackwardArgs<T> args{
      .shape = shape,
      .weights = {weights.device.data(), weights.run_stride},
      .y_grad = {y_grad.device.data(), y_grad.run_stride,
                 nhwc(shape.y_channels, shape.y_height, shape.y_width)},
      .norm = norm.args(workspace.data(), tickets.data(), deferred_mode),
      .rows = nhwc(1, c.height, c.width),
      .math = math,
      .x_grad_mode = x_grad_mode};
  const double e = tests::sum_error(tests::products(shape.taps() * shape.y_channels));
  const double m = static_cast<double>(norm.pixels), stored_error = sizeof(T) == 2 ? 0x1p-8 : kUnit;
  for_each_version(kernels::batch_norm_conv2d_backward_versions<T>(), args, [&](const auto& version) {
    std::vector<T> x_grad;
    std::vector<std::vector<float>> of_channels;  // shift_grad, scale_grad, both deferred terms
    run_twice([&] {
      norm.x_grad.reset();
      const auto written = {&norm.shift_grad, &norm.scale_grad, &norm.deferred_mean, &norm.deferred_tilt};
      for (DeviceArray<float>* array : written) array->reset();
      workspace.reset();
      version.launch(args, nullptr);
      static_cast<void>(workspace.download());  // throws where its end was overwritten
      EXPECT_THAT(tickets.download(), ::testing::Each(0));
      x_grad = norm.x_grad.download();
      std::vector<float> all;
      for (const T& value : x_grad) all.push_back(kernels::to_float(value));
      of_channels.clear();
      for (DeviceArray<float>* array : written) {
        of_channels.push_back(array->download());
        all.insert(all.end(), of_channels.back().begin(), of_channels.back().end());
      }
      return all;
    });
    const auto& [shift_grad, scale_grad, mean_term, tilt_term] =
        std::tie(of_channels[0], of_channels[1], of_channels[2], of_channels[3]);
    for (int run = 0; run < kRuns; ++run) {
      SCOPED_TRACE(fmt::format("run {}", run));
      const Expected expected = norm.expected(run, between[static_cast<std::size_t>(run)], x_grad_mode);
      for (std::int64_t pixel = 0; pixel < norm.pixels; ++pixel)
        for (std::int64_t channel = 0; channel < norm.pitch; ++channel) {
          const std::size_t at = norm.at(run, pixel, channel);
          const double value = kernels::to_float(x_grad[at]);
          if (channel >= norm.channels) {  // of the wider images
            ASSERT_EQ(value, kernels::to_float(norm.x_grad_host[at]));
            continue;
          }
          const double wanted = expected.x_grad[static_cast<std::size_t>(pixel * norm.channels + channel)];
          ASSERT_LE(std::abs(value - wanted),
                    1.5 * (e + kUnit * expected.largest) + stored_error * std::abs(wanted))
              << "pixel " << pixel << ", channel " << channel << ": " << value << " instead of " << wanted;
        }
      for (const std::vector<float>& values : of_channels)  // what lies between the runs is nobody's
        for (std::int64_t i = norm.channels; i < norm.channel_stride; ++i)
          ASSERT_EQ(values[norm.channel_at(run, i)], norm.before_host[norm.channel_at(run, i)]);
      for (std::int64_t channel = 0; channel < norm.channels; ++channel) {
        SCOPED_TRACE(fmt::format("channel {}", channel));
        const auto i = static_cast<std::size_t>(channel);
        const std::size_t at = norm.channel_at(run, channel);
        const double slope = double{norm.scale_host[at]} * Norm<T>::kInvstd;
        const double before = deferred_mode == GradientMode::kAccumulate ? norm.before_host[at] : 0;
        const double shift_error = m * e + 24 * kUnit * expected.shift_terms[i];
        const double scale_error = Norm<T>::kInvstd * (2.125 * m * e + 25 * kUnit * expected.scale_terms[i]);
        const auto expect = [&](const std::vector<float>& actual, double wanted, double error) {
          ASSERT_LE(std::abs(double{actual[at]} - wanted), error + kUnit * std::abs(wanted));
        };
        expect(shift_grad, expected.shift_grad[i], shift_error);
        expect(scale_grad, expected.scale_grad[i], scale_error);
        expect(mean_term, before + slope * expected.shift_grad[i] / m, std::abs(slope) * shift_error / m);
        expect(tilt_term, before + slope * Norm<T>::kInvstd * expected.scale_grad[i] / m,
               std::abs(slope) * Norm<T>::kInvstd * scale_error / m);
      }
    }
  });
}

class BatchNormConv2dKernel : public tests::KernelTest {};

TEST_F(BatchNormConv2dKernel, Backward_EveryRungGivesBothGradients) {
  int count = 0;
  for_each_case([&](auto zero, const Case& c, MathMode math) {
    if (c.stride != 1) return;
    ++count;
    const auto mode = [&](bool accumulates) {
      return accumulates ? GradientMode::kAccumulate : GradientMode::kOverwrite;
    };
    expect_gradients(zero, c, math, mode(count % 2 == 0), mode(count % 4 < 2), c.gap == Gap::kNone ? 8 : 3);
  });
  EXPECT_GE(count, 15);
}

/// Five tiles of rows in two groups, and two strips of columns; groups of nine tiles.
TEST_F(BatchNormConv2dKernel, Backward_OfManyTiles) {
  constexpr GradientMode kOverwrites = GradientMode::kOverwrite;
  for (const Case& c : {Case{5, 70, 8, 8, 3, 1, 1, 0, Gap::kOdd}, Case{65, 4, 8, 8, 1, 1, 1, 0}}) {
    expect_gradients(float{}, c, MathMode::kFp32, kOverwrites, kOverwrites, 0);
    expect_gradients(Bf16{}, c, MathMode::kFp32, kOverwrites, kOverwrites, 0);
  }
}

/// The blocks of TallTile and LargeTile, the last of them not full, in packs and not. (Channels that make no
/// whole packs take small tiles.)
TEST_F(BatchNormConv2dKernel, Backward_OfLargeTiles) {
  constexpr GradientMode kAdds = GradientMode::kAccumulate, kOverwrites = GradientMode::kOverwrite;
  for (const Case& c : {Case{71, 56, 16, 15, 8, 1, 1, 0}, Case{71, 136, 16, 15, 8, 1, 1, 0}}) {
    ASSERT_EQ(c.shape().x_pixels() % 128, 16);
    ASSERT_GE(c.shape().x_pixels() / 128, 132);
    ASSERT_EQ(c.x_channels * sizeof(Bf16) % 16, 0U);  // copies of 16 bytes, without which no tile is large
    ASSERT_EQ(c.y_channels * sizeof(Bf16) % 16, 0U);
    expect_gradients(float{}, c, MathMode::kFp32, kAdds, kAdds, 8);
    expect_gradients(float{}, c, MathMode::kTf32, kOverwrites, kAdds, 3);
    expect_gradients(Bf16{}, c, MathMode::kFp32, kAdds, kOverwrites, 8);
    expect_gradients(Bf16{}, c, MathMode::kFp32, kAdds, kAdds, 3);
  }
}

}  // namespace
}  // namespace gnc
