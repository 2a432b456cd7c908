/// Every rung of batch_norm_sum_conv2d_backward against loops in double.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/batch_norm_sum_conv2d.h"
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

constexpr double kUnit = 0x1p-24;
constexpr float kInvstd = 0.5F;

/// What z's other consumers gave.
struct Others {
  bool is_onto;  ///< where addend_grad goes
  int stride;
  int first_channel;
  int channels_behind;
};

/// Images of half zeros: what a ReLU leaves.
template <class T>
std::vector<T> cut_off(std::vector<T> values) {
  for (T& value : values)
    if (!(kernels::to_float(value) > 0.0F)) value = kernels::from_float<T>(0.0F);
  return values;
}

std::size_t place(std::int64_t index) { return static_cast<std::size_t>(index); }

/// G of every run, [pixels, channels], and how large the largest is.
template <class T>
std::vector<double> gradients_of(const Conv2dShape& s, int run, const Runs<T>& weights, const Runs<T>& y_grad,
                                 const Runs<T>& others_grad, const Others& others) {
  std::vector<double> gradients(place(Sizes(s).x));
  for_each_product(s, [&](auto at_x, auto at_weights, auto at_y) {
    gradients[place(at_x)] += y_grad.at(run, at_y) * weights.at(run, at_weights);
  });
  const int channels = others.first_channel + s.x_channels + others.channels_behind;
  const int height = (s.x_height + others.stride - 1) / others.stride;
  const int width = (s.x_width + others.stride - 1) / others.stride;
  for (int n = 0; n < s.batch; ++n)
    for (int h = 0; h < s.x_height; h += others.stride)
      for (int w = 0; w < s.x_width; w += others.stride)
        for (int c = 0; c < s.x_channels; ++c) {
          const std::int64_t pixel = (std::int64_t{n} * s.x_height + h) * s.x_width + w;
          const std::int64_t sampled =
              (std::int64_t{n} * height + h / others.stride) * width + w / others.stride;
          gradients[place(pixel * s.x_channels + c)] +=
              others_grad.at(run, sampled * channels + others.first_channel + c);
        }
  return gradients;
}

/// G is wrong by `sum` at most, and in bf16 rounded. A thread adds 16 rows of a tile, a block 8 threads: 23
/// roundings, and one of every product with a deviation; tiles are added in double. x_grad takes six
/// roundings of its three terms.
template <class T>
void expect_gradients(T, const Case& c, MathMode math, const Others& others) {
  const Conv2dShape s = c.shape();
  const Sizes sizes(s);
  const std::int64_t channels = s.x_channels, pixels = s.x_pixels();
  const std::int64_t sampled = std::int64_t{s.batch} * ((s.x_height + others.stride - 1) / others.stride) *
                               ((s.x_width + others.stride - 1) / others.stride);
  const int others_channels = others.first_channel + s.x_channels + others.channels_behind;
  Runs<T> weights("weights", sizes.weights, c.gap), y_grad("y_grad", sizes.y, c.gap), x("x", sizes.x, c.gap),
      others_grad("others_grad", sampled * others_channels, c.gap);
  const std::vector<T> z_host = cut_off(draw<T>("z", kRuns * x.run_stride));
  DeviceArray<T> z(z_host), x_grad(x.host), addend_grad(others.is_onto ? others_grad.host : x.host);
  const std::vector<float> mean_host = draw<float>("mean", kRuns * channels);
  DeviceArray<float> mean(mean_host), scale(std::vector<float>(mean_host.size(), -3.0F)),
      invstd(std::vector<float>(mean_host.size(), kInvstd)), shift(mean_host);
  DeviceArray<float> scale_grad(mean_host), shift_grad(mean_host);
  // NaN: a partial sum that nobody wrote would show.
  DeviceArray<float> workspace(
      std::vector<float>(kernels::batch_norm_sum_conv2d_workspace(s, kRuns) / sizeof(float), std::nanf("")));
  DeviceArray<int> tickets(std::vector<int>(kernels::batch_norm_sum_conv2d_tickets(s, kRuns)));
  const kernels::ImageStrides of_others =
      nhwc(others_channels, (s.x_height + others.stride - 1) / others.stride,
           (s.x_width + others.stride - 1) / others.stride);
  const T* const given = others.is_onto ? addend_grad.data() : others_grad.device.data();
  const kernels::BatchNormSumConv2dBackwardArgs<T> args{
      .shape = s,
      .weights = {weights.device.data(), weights.run_stride},
      .y_grad = {y_grad.device.data(), y_grad.run_stride, nhwc(s.y_channels, s.y_height, s.y_width)},
      .norm = {.x = x.device.data(),
               .scale = scale.data(),
               .shift = shift.data(),
               .mean = mean.data(),
               .invstd = invstd.data(),
               .y_grad = addend_grad.data(),
               .x_grad = x_grad.data(),
               .scale_grad = scale_grad.data(),
               .shift_grad = shift_grad.data(),
               .workspace = workspace.data(),
               .tickets = tickets.data(),
               .x_run_stride = x.run_stride,
               .x_pitch = channels,
               .scale_run_stride = channels,
               .shift_run_stride = channels,
               .mean_run_stride = channels,
               .invstd_run_stride = channels,
               .y_grad_run_stride = x.run_stride,
               .x_grad_run_stride = x.run_stride,
               .x_grad_pitch = channels,
               .scale_grad_run_stride = channels,
               .shift_grad_run_stride = channels,
               .extents = {.rows = pixels, .channels = s.x_channels, .runs = kRuns},
               .activation = kernels::Activation::kRelu,
               .x_grad_mode = kernels::GradientMode::kOverwrite,
               .y = z.data(),
               .addend_grad = addend_grad.data(),
               .y_run_stride = x.run_stride,
               .addend_grad_run_stride = x.run_stride},
      .rows = nhwc(1, s.x_height, s.x_width),
      .others_grad = {given + others.first_channel, others_grad.run_stride, of_others},
      .others_stride = others.stride,
      .math = math};
  for_each_version(kernels::batch_norm_sum_conv2d_backward_versions<T>(), args, [&](const auto& version) {
    std::vector<T> actual_addend, actual_x;
    std::vector<float> actual_shift, actual_scale;
    run_twice([&] {
      x_grad.reset();
      addend_grad.reset();
      scale_grad.reset();
      shift_grad.reset();
      workspace.reset();
      version.launch(args, nullptr);
      static_cast<void>(workspace.download());  // throws where its end was overwritten
      EXPECT_THAT(tickets.download(), ::testing::Each(0));
      actual_addend = addend_grad.download();
      actual_x = x_grad.download();
      actual_shift = shift_grad.download();
      actual_scale = scale_grad.download();
      std::vector<float> all = actual_shift;
      all.insert(all.end(), actual_scale.begin(), actual_scale.end());
      for (const std::vector<T>* images : {&actual_addend, &actual_x})
        for (const T& value : *images) all.push_back(kernels::to_float(value));
      return all;
    });
    for (int run = 0; run < kRuns; ++run) {
      SCOPED_TRACE(fmt::format("run {}", run));
      std::vector<double> wanted = gradients_of(s, run, weights, y_grad, others_grad, others);
      double largest = 0;
      for (std::int64_t i = 0; i < sizes.x; ++i) {
        largest = std::max(largest, std::abs(wanted[place(i)]));
        if (!(kernels::to_float(z_host[place(run * x.run_stride + i)]) > 0.0F)) wanted[place(i)] = 0;
      }
      const double stored = sizeof(T) == 2 ? 0x1p-8 : 0;
      const double sum = tests::sum_error(tests::products(s.taps() * s.y_channels)) + kUnit * largest;
      const double error = sum + stored * (largest + sum), m = static_cast<double>(pixels);
      for (std::int64_t channel = 0; channel < channels; ++channel) {
        SCOPED_TRACE(fmt::format("channel {}", channel));
        const std::size_t of_channel = place(run * channels + channel);
        double shift_sum = 0, scale_sum = 0, shift_terms = 0, scale_terms = 0;
        const auto deviation_at = [&](std::int64_t pixel) {
          return x.at(run, pixel * channels + channel) - double{mean_host[of_channel]};
        };
        for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
          const double g = wanted[place(pixel * channels + channel)], deviation = deviation_at(pixel);
          shift_sum += g;
          scale_sum += g * deviation;
          shift_terms += std::abs(g);
          scale_terms += std::abs(g * deviation);
        }
        constexpr double kDeviation = 2;  // at most: both are in [−1, 1)
        const double shift_error = m * error + 24 * kUnit * shift_terms;
        const double scale_error = kDeviation * m * error + 26 * kUnit * scale_terms;
        ASSERT_LE(std::abs(double{actual_shift[of_channel]} - shift_sum),
                  shift_error + kUnit * std::abs(shift_sum));
        ASSERT_LE(std::abs(double{actual_scale[of_channel]} - scale_sum * kInvstd),
                  kInvstd * scale_error + kUnit * std::abs(scale_sum));
        const double slope = -3.0 * kInvstd, tilt = scale_sum * kInvstd * kInvstd / m;
        for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
          SCOPED_TRACE(fmt::format("pixel {}", pixel));
          const std::int64_t at = pixel * channels + channel;
          const auto value = [&](const std::vector<T>& images) {
            return double{kernels::to_float(images[place(run * x.run_stride + at)])};
          };
          const double g = wanted[place(at)], deviation = deviation_at(pixel);
          ASSERT_LE(std::abs(value(actual_addend) - g), error);
          const double expected = slope * (g - shift_sum / m - deviation * tilt);
          const double terms = std::abs(g) + std::abs(shift_sum / m) + std::abs(deviation * tilt);
          const double in_bracket =
              error + shift_error / m + kDeviation * kInvstd * kInvstd * scale_error / m + 6 * kUnit * terms;
          ASSERT_LE(std::abs(value(actual_x) - expected),
                    std::abs(slope) * in_bracket * (1 + stored) + stored * std::abs(expected));
        }
      }
      for (std::int64_t i = sizes.x; i < x.run_stride; ++i) {  // what lies between the runs is nobody's
        const std::size_t at = place(run * x.run_stride + i);
        ASSERT_EQ(kernels::to_float(actual_x[at]), kernels::to_float(x.host[at]));
      }
    }
  });
}

class BatchNormSumConv2dKernel : public tests::KernelTest {};

TEST_F(BatchNormSumConv2dKernel, Backward_EveryRungGivesAllGradients) {
  int count = 0;
  for_each_case([&](auto zero, const Case& c, MathMode math) {
    const int beside = c.gap == Gap::kNone ? 8 : 3;
    expect_gradients(zero, c, math, {.is_onto = true, .stride = 1, .first_channel = 0, .channels_behind = 0});
    expect_gradients(
        zero, c, math,
        {.is_onto = false, .stride = 1 + count % 3, .first_channel = beside, .channels_behind = 4});
    ++count;
  });
  EXPECT_GE(count, 20);
}

/// Phases of 72, 60, 60 and 50 pixels: tiles of 64 rows that the first alone has two of. With one strip of
/// columns, and with two.
TEST_F(BatchNormSumConv2dKernel, Backward_OfPhasesWithoutPixelsForAllTiles) {
  const Others others{.is_onto = false, .stride = 2, .first_channel = 0, .channels_behind = 0};
  for (const Case& c : {Case{2, 8, 11, 11, 16, 3, 2, 1}, Case{2, 72, 11, 11, 16, 3, 2, 1}}) {
    expect_gradients(float{}, c, MathMode::kFp32, others);
    expect_gradients(float{}, c, MathMode::kTf32, others);
    expect_gradients(Bf16{}, c, MathMode::kFp32, others);
  }
}

/// The blocks of TallTile (56 channels) and LargeTile (136), the last of them not full.
TEST_F(BatchNormSumConv2dKernel, Backward_OfLargeTiles) {
  const Case tall{71, 56, 16, 15, 8, 1, 1, 0}, large{71, 136, 16, 15, 8, 1, 1, 0};
  ASSERT_EQ(tall.shape().x_pixels() % 128, 16);
  ASSERT_GE(tall.shape().x_pixels() / 128, 132);
  const Others onto{.is_onto = true, .stride = 1, .first_channel = 0, .channels_behind = 0};
  const Others sampled{.is_onto = false, .stride = 2, .first_channel = 4, .channels_behind = 0};
  expect_gradients(float{}, tall, MathMode::kFp32, onto);
  expect_gradients(Bf16{}, tall, MathMode::kFp32, sampled);
  expect_gradients(float{}, large, MathMode::kTf32, sampled);
  expect_gradients(Bf16{}, large, MathMode::kFp32, onto);
}

}  // namespace
}  // namespace gnc
