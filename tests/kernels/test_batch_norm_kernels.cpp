/// The kernels that walk over columns in chunks and put these together, against loops in double, with arrays
/// of the very sizes that they ask for. (tests/ops has the ops' cases; its workspaces are another op's, too.)
#include "kernels/batch_norm.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/random.h"
#include "kernels/batch_norm_pool.h"
#include "kernels/batch_norm_shared.h"
#include "tests/kernels/kernel_test.h"

namespace gnc {
namespace {

using kernels::Bf16;
using tests::DeviceArray;

constexpr int kRuns = 2;
constexpr double kUnit = 0x1p-24;
constexpr float kEpsilon = 1e-5F;

/// More channels than a strip has, in packs of eight, of four and of one. Chunks of 128 rows in groups of
/// three or nine; the last chunk and the last group are short.
struct Case {
  std::int64_t rows;
  int channels;
};
constexpr Case kCases[] = {{4 * 128 + 7, 72}, {4 * 128 + 7, 44}, {66 * 128 + 1, 13}};

/// In [offset − 1, offset + 1), of both types.
template <class T>
std::vector<T> draw(std::string_view name, std::int64_t count, double offset) {
  const RandomStream stream(20261201, name);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = kernels::from_float<T>(static_cast<float>(offset + 2 * stream.uniform(i) - 1));
  return values;
}

std::vector<float> unwritten(std::size_t bytes) {
  return std::vector<float>(bytes / sizeof(float), std::nanf(""));
}
std::vector<float> per_channel(const Case& c, float value) {
  return std::vector<float>(static_cast<std::size_t>(kRuns * c.channels), value);
}

/// What an op on such a matrix has beside it.
template <class T>
struct Matrices {
  Case shape;
  kernels::BatchNormExtents extents;
  std::int64_t stride;
  std::vector<T> x_host, g_host;
  DeviceArray<T> x, g, result;
  DeviceArray<float> mean, variance, invstd, first, second;  // the last two: gradients or running statistics
  DeviceArray<float> deferred_mean, deferred_tilt, ones, zeros, workspace;
  DeviceArray<int> tickets;

  explicit Matrices(const Case& c)
      : shape(c),
        extents{.rows = c.rows, .channels = c.channels, .runs = kRuns},
        stride(c.rows * c.channels),
        x_host(draw<T>("x", kRuns * stride, 3)),
        g_host(draw<T>("g", kRuns * stride, 0.25)),
        x(x_host),
        g(g_host),
        result(g_host),
        mean(per_channel(c, 3)),
        variance(per_channel(c, 1)),
        invstd(per_channel(c, 0.5)),
        first(per_channel(c, 0)),
        second(per_channel(c, 0)),
        deferred_mean(per_channel(c, 0)),
        deferred_tilt(per_channel(c, 0)),
        ones(per_channel(c, 1)),
        zeros(per_channel(c, 0)),
        workspace(unwritten(kernels::batch_norm_workspace(extents))),
        tickets(std::vector<int>(static_cast<std::size_t>(kernels::batch_norm_tickets(extents)))) {}

  kernels::BatchNormBackwardArgs<T> backward_args() {
    const std::int64_t channels = shape.channels;
    return {.x = x.data(),
            .scale = ones.data(),
            .shift = zeros.data(),
            .mean = mean.data(),
            .invstd = invstd.data(),
            .y_grad = g.data(),
            .x_grad = result.data(),
            .scale_grad = second.data(),
            .shift_grad = first.data(),
            .workspace = workspace.data(),
            .tickets = tickets.data(),
            .x_run_stride = stride,
            .x_pitch = channels,
            .scale_run_stride = channels,
            .shift_run_stride = channels,
            .mean_run_stride = channels,
            .invstd_run_stride = channels,
            .y_grad_run_stride = stride,
            .x_grad_run_stride = stride,
            .x_grad_pitch = channels,
            .scale_grad_run_stride = channels,
            .shift_grad_run_stride = channels,
            .extents = extents,
            .activation = kernels::Activation::kNone,
            .x_grad_mode = kernels::GradientMode::kOverwrite};
  }

  /// Nothing beyond either, and all tickets zero again.
  void expect_clean() {
    static_cast<void>(workspace.download());
    static_cast<void>(result.download());
    EXPECT_THAT(tickets.download(), ::testing::Each(0));
  }

  /// Σ term(row) of a channel of a run, and Σ|term|.
  template <class Term>
  std::pair<double, double> sums(int run, int channel, const Term& term) const {
    double sum = 0, terms = 0;
    for (std::int64_t row = 0; row < shape.rows; ++row) {
      const auto at = static_cast<std::size_t>(run * stride + row * shape.channels + channel);
      const double value = term(double{kernels::to_float(x_host[at])}, double{kernels::to_float(g_host[at])});
      sum += value;
      terms += std::abs(value);
    }
    return {sum, terms};
  }

  template <class Body>
  void for_each_channel(const Body& body) const {
    for (int run = 0; run < kRuns; ++run)
      for (int channel = 0; channel < shape.channels; ++channel) {
        SCOPED_TRACE(fmt::format("run {}, channel {}", run, channel));
        body(run, channel, static_cast<std::size_t>(run * shape.channels + channel));
      }
  }

  /// What is stored of a result of such a size, beside the error of the result.
  static constexpr double kStored = sizeof(T) == 2 ? 0x1p-8 : 0;
  static constexpr double kLargest = 4;  ///< of |x|

  /// By batch_norm.cu: a lane has four rows of a chunk, so that a mean passes through k = 1 + 5 merges and is
  /// wrong by (k + 4)·u·max|x|, the variance by (k + 8)·u·(1 + max|x|/σ) of itself, and its root by half of
  /// that and two roundings.
  void expect_statistics(const std::vector<float>& means, const std::vector<float>& variances,
                         const std::vector<float>& invstds, double unbiased = 1) const {
    for_each_channel([&](int run, int channel, std::size_t at) {
      const double m = static_cast<double>(shape.rows);
      const double wanted = sums(run, channel, [](double value, double) { return value; }).first / m;
      const double squares =
          sums(run, channel, [&](double value, double) { return (value - wanted) * (value - wanted); })
              .first /
          m;
      ASSERT_LE(std::abs(double{means[at]} - wanted), 10 * kUnit * kLargest);
      const double error = 14 * (1 + kLargest / std::sqrt(squares)) * kUnit;
      ASSERT_NEAR(double{variances[at]} / (squares * unbiased), 1, error + kUnit);
      ASSERT_NEAR(double{invstds[at]} * std::sqrt(squares + double{kEpsilon}), 1, error / 2 + 2 * kUnit);
    });
  }

  /// What a backward pass knows of a channel: Σg, Σg·(x − 3)/2, and how wrong its own may be. A lane adds
  /// four rows, lanes five times, chunks in double, and the result is rounded: 10; of products 2 more.
  struct Sums {
    double shift, scale, shift_error, scale_error;
  };
  Sums gradient_sums(int run, int channel) const {
    const auto [sum, terms] = sums(run, channel, [](double, double gradient) { return gradient; });
    const auto [scaled, scaled_terms] =
        sums(run, channel, [](double value, double gradient) { return gradient * (value - 3) / 2; });
    return {sum, scaled, 10 * kUnit * terms, 12 * kUnit * scaled_terms};
  }
  void expect_gradients(const std::vector<float>& shift, const std::vector<float>& scale) const {
    for_each_channel([&](int run, int channel, std::size_t at) {
      const Sums of = gradient_sums(run, channel);
      ASSERT_LE(std::abs(double{shift[at]} - of.shift), of.shift_error);
      ASSERT_LE(std::abs(double{scale[at]} - of.scale), of.scale_error);
    });
  }

  /// Calls body(place of the element, x, g).
  template <class Body>
  void for_each_row(int run, int channel, const Body& body) const {
    for (std::int64_t row = 0; row < shape.rows; ++row) {
      const auto at = static_cast<std::size_t>(run * stride + row * shape.channels + channel);
      body(at, double{kernels::to_float(x_host[at])}, double{kernels::to_float(g_host[at])});
    }
  }
};

template <class T>
class BatchNormKernels : public tests::KernelTest {};
using Types = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(BatchNormKernels, Types);

TYPED_TEST(BatchNormKernels, Forward_MakesStatistics) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(fmt::format("{} rows of {}", c.rows, c.channels));
    Matrices<TypeParam> of(c);
    const std::int64_t channels = c.channels;
    kernels::batch_norm_forward<TypeParam>({.x = of.x.data(),
                                            .scale = of.ones.data(),
                                            .shift = of.zeros.data(),
                                            .running_mean = of.first.data(),
                                            .running_variance = of.second.data(),
                                            .mean = of.mean.data(),
                                            .invstd = of.invstd.data(),
                                            .y = of.result.data(),
                                            .workspace = of.workspace.data(),
                                            .tickets = of.tickets.data(),
                                            .x_run_stride = of.stride,
                                            .x_pitch = channels,
                                            .scale_run_stride = channels,
                                            .shift_run_stride = channels,
                                            .running_mean_run_stride = channels,
                                            .running_variance_run_stride = channels,
                                            .mean_run_stride = channels,
                                            .invstd_run_stride = channels,
                                            .y_run_stride = of.stride,
                                            .extents = of.extents,
                                            .epsilon = kEpsilon,
                                            .momentum = 1,
                                            .activation = kernels::Activation::kNone},
                                           nullptr);
    of.expect_clean();
    const std::vector<float> means = of.mean.download(), invstds = of.invstd.download();
    const double m = static_cast<double>(c.rows);
    of.expect_statistics(means, of.second.download(), invstds, m / (m - 1));  // by a momentum of 1
    EXPECT_EQ(of.first.download(), means);
    const std::vector<TypeParam> y = of.result.download();
    of.for_each_channel([&](int run, int channel, std::size_t of_channel) {
      of.for_each_row(run, channel, [&](std::size_t at, double x, double) {
        // By the mean and invstd that are stored: three roundings.
        const double wanted = (x - double{means[of_channel]}) * double{invstds[of_channel]};
        const double error = (3 * kUnit + of.kStored) * std::abs(wanted) + kUnit * of.kLargest;
        ASSERT_LE(std::abs(kernels::to_float(y[at]) - wanted), error);
      });
    });
  }
}

TYPED_TEST(BatchNormKernels, StatisticsOfSharedChannels_AreThose) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(fmt::format("{} rows of {}", c.rows, c.channels));
    Matrices<TypeParam> of(c);
    kernels::batch_norm_statistics_shared<TypeParam>({.x = of.x.data(),
                                                      .mean = of.mean.data(),
                                                      .variance = of.variance.data(),
                                                      .invstd = of.invstd.data(),
                                                      .workspace = of.workspace.data(),
                                                      .tickets = of.tickets.data(),
                                                      .x_run_stride = of.stride,
                                                      .x_pitch = c.channels,
                                                      .mean_run_stride = c.channels,
                                                      .variance_run_stride = c.channels,
                                                      .invstd_run_stride = c.channels,
                                                      .extents = of.extents,
                                                      .epsilon = kEpsilon},
                                                     nullptr);
    of.expect_clean();
    of.expect_statistics(of.mean.download(), of.variance.download(), of.invstd.download());
  }
}

TYPED_TEST(BatchNormKernels, Backward_GivesAllGradients) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(fmt::format("{} rows of {}", c.rows, c.channels));
    Matrices<TypeParam> of(c);
    kernels::batch_norm_backward(of.backward_args(), nullptr);
    of.expect_clean();
    of.expect_gradients(of.first.download(), of.second.download());
    // x_grad = (g − Σg/m − (x − 3)·tilt)/2, tilt = Σg·(x − 3)/4m: six roundings of the three terms.
    const std::vector<TypeParam> x_grad = of.result.download();
    const double m = static_cast<double>(c.rows);
    of.for_each_channel([&](int run, int channel, std::size_t) {
      const auto sums = of.gradient_sums(run, channel);
      of.for_each_row(run, channel, [&](std::size_t at, double x, double g) {
        const double mean_term = sums.shift / m, tilt_term = (x - 3) * sums.scale / (2 * m);
        const double wanted = (g - mean_term - tilt_term) / 2;
        const double terms = std::abs(g) + std::abs(mean_term) + std::abs(tilt_term);
        const double error =
            (sums.shift_error / m + std::abs(x - 3) * sums.scale_error / (2 * m) + 6 * kUnit * terms) / 2;
        ASSERT_LE(std::abs(kernels::to_float(x_grad[at]) - wanted),
                  error * (1 + of.kStored) + of.kStored * std::abs(wanted));
      });
    });
  }
}

TYPED_TEST(BatchNormKernels, BackwardOfSharedChannels_GivesAllGradients) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(fmt::format("{} rows of {}", c.rows, c.channels));
    Matrices<TypeParam> of(c);
    const std::int64_t channels = c.channels;
    kernels::batch_norm_shared_backward<TypeParam>({.x = of.x.data(),
                                                    .scale = of.ones.data(),
                                                    .shift = of.zeros.data(),
                                                    .mean = of.mean.data(),
                                                    .invstd = of.invstd.data(),
                                                    .y_grad = of.g.data(),
                                                    .x_grad = of.result.data(),
                                                    .scale_grad = of.second.data(),
                                                    .shift_grad = of.first.data(),
                                                    .deferred_mean = of.deferred_mean.data(),
                                                    .deferred_tilt = of.deferred_tilt.data(),
                                                    .workspace = of.workspace.data(),
                                                    .tickets = of.tickets.data(),
                                                    .x_run_stride = of.stride,
                                                    .x_pitch = channels,
                                                    .scale_run_stride = channels,
                                                    .shift_run_stride = channels,
                                                    .mean_run_stride = channels,
                                                    .invstd_run_stride = channels,
                                                    .y_grad_run_stride = of.stride,
                                                    .x_grad_run_stride = of.stride,
                                                    .x_grad_pitch = channels,
                                                    .scale_grad_run_stride = channels,
                                                    .shift_grad_run_stride = channels,
                                                    .deferred_mean_run_stride = channels,
                                                    .deferred_tilt_run_stride = channels,
                                                    .extents = of.extents,
                                                    .activation = kernels::Activation::kNone,
                                                    .deferred_mode = kernels::GradientMode::kOverwrite},
                                                   nullptr);
    of.expect_clean();
    of.expect_gradients(of.first.download(), of.second.download());
    const std::vector<float> mean_terms = of.deferred_mean.download(), tilts = of.deferred_tilt.download();
    const std::vector<TypeParam> x_grad = of.result.download();
    const double m = static_cast<double>(c.rows);
    of.for_each_channel([&](int run, int channel, std::size_t of_channel) {
      const auto sums = of.gradient_sums(run, channel);
      ASSERT_LE(std::abs(double{mean_terms[of_channel]} - sums.shift / (2 * m)), sums.shift_error / (2 * m));
      ASSERT_LE(std::abs(double{tilts[of_channel]} - sums.scale / (4 * m)), sums.scale_error / (4 * m));
      of.for_each_row(run, channel, [&](std::size_t at, double, double g) {  // g lay there: g + g/2, rounded
        ASSERT_LE(std::abs(kernels::to_float(x_grad[at]) - 1.5 * g),
                  (kUnit + of.kStored) * std::abs(1.5 * g));
      });
    });
  }
}

/// 585 windows in chunks of 32, in groups of five; a channel's x and y_grad as rows, four pixels of x to one
/// of y_grad.
TYPED_TEST(BatchNormKernels, BackwardOfPooled_SumsGradients) {
  using T = TypeParam;
  constexpr int kImages = 3, kHeight = 15, kWidth = 13;
  const kernels::PoolWindows windows{.images = kImages,
                                     .height = kHeight,
                                     .width = kWidth,
                                     .strides = {.n = 4 * kHeight * kWidth, .h = 2 * kWidth, .w = 1},
                                     .pooled = {.n = kHeight * kWidth, .h = kWidth, .w = 1}};
  for (const int channels : {72, 13}) {
    SCOPED_TRACE(channels);
    constexpr std::int64_t kWindows = std::int64_t{kImages} * kHeight * kWidth;
    Matrices<T> of({4 * kWindows, channels});
    kernels::PoolWindows in_elements = windows;
    for (kernels::ImageStrides* strides : {&in_elements.strides, &in_elements.pooled})
      *strides = {.n = strides->n * channels, .h = strides->h * channels, .w = channels};
    const std::int64_t pooled_stride = kWindows * channels;
    const std::vector<T> y_grad_host = draw<T>("y_grad", kRuns * pooled_stride, 0.25);
    std::vector<std::uint8_t> winner_host(y_grad_host.size());
    for (std::size_t i = 0; i < winner_host.size(); ++i)
      winner_host[i] = static_cast<std::uint8_t>(i % 7 % 4);
    DeviceArray<T> y_grad(y_grad_host);
    std::vector<int> packed(winner_host.size() / sizeof(int) + 1);
    std::memcpy(packed.data(), winner_host.data(), winner_host.size());
    DeviceArray<int> winner(packed);
    DeviceArray<float> workspace(
        unwritten(kernels::batch_norm_max_pool_backward_workspace(in_elements, channels, kRuns)));
    kernels::BatchNormBackwardArgs<T> norm = of.backward_args();
    norm.y_grad = y_grad.data();
    norm.y_grad_run_stride = pooled_stride;
    norm.workspace = workspace.data();
    kernels::batch_norm_max_pool_backward<T>({.norm = norm,
                                              .windows = in_elements,
                                              .winner = reinterpret_cast<const std::uint8_t*>(winner.data()),
                                              .winner_run_stride = pooled_stride},
                                             nullptr);
    of.expect_clean();
    static_cast<void>(workspace.download());
    const std::vector<float> shift = of.first.download(), scale = of.second.download();
    of.for_each_channel([&](int run, int channel, std::size_t of_channel) {
      double sum = 0, terms = 0, scaled = 0, scaled_terms = 0;
      for (int n = 0; n < kImages; ++n)
        for (int i = 0; i < kHeight; ++i)
          for (int j = 0; j < kWidth; ++j) {
            const auto at = static_cast<std::size_t>(
                run * pooled_stride + ((std::int64_t{n} * kHeight + i) * kWidth + j) * channels + channel);
            const std::int64_t h = 2 * i + winner_host[at] / 2, w = 2 * j + winner_host[at] % 2;
            const double x = kernels::to_float(of.x_host[static_cast<std::size_t>(
                run * of.stride + ((n * 2 * kHeight + h) * 2 * kWidth + w) * channels + channel)]);
            const double g = kernels::to_float(y_grad_host[at]);
            sum += g;
            terms += std::abs(g);
            scaled += g * (x - 3) / 2;
            scaled_terms += std::abs(g * (x - 3) / 2);
          }
      // A lane has one window of a chunk.
      ASSERT_LE(std::abs(double{shift[of_channel]} - sum), 10 * kUnit * terms);
      ASSERT_LE(std::abs(double{scale[of_channel]} - scaled), 12 * kUnit * scaled_terms);
    });
  }
}

}  // namespace
}  // namespace gnc
