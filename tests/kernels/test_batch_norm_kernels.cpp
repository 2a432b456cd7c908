/// The kernels that walk over columns in chunks and put these together, against loops in double, with arrays
/// of the very sizes that they ask for. (tests/ops has the ops' cases; its workspaces are another op's, too.)
#include "kernels/batch_norm.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string_view>
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

/// Chunks of 128 rows make more than one group of more than one chunk, the last of both not full; and groups
/// of more than eight.
struct Case {
  std::int64_t rows;
  int channels;  ///< whole packs or not; more than the channels of one strip
};
constexpr Case kCases[] = {{5 * 128 + 7, 72}, {5 * 128 + 7, 12}, {66 * 128 + 1, 13}};

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
  DeviceArray<float> ones, zeros, workspace;
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
        ones(per_channel(c, 1)),
        zeros(per_channel(c, 0)),
        workspace(unwritten(kernels::batch_norm_workspace(extents))),
        tickets(std::vector<int>(static_cast<std::size_t>(kernels::batch_norm_tickets(extents)))) {}

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

  /// A lane passes a mean through at most 8 merges, a chunk through 5 more (batch_norm.cu): (8 + 5 + 4)
  /// units.
  void expect_statistics(const std::vector<float>& means, const std::vector<float>& invstds) const {
    constexpr double kLargest = 4, kError = 17 * kUnit * kLargest;
    for_each_channel([&](int run, int channel, std::size_t at) {
      const double m = static_cast<double>(shape.rows);
      const double wanted = sums(run, channel, [](double value, double) { return value; }).first / m;
      const double squares =
          sums(run, channel, [&](double value, double) { return (value - wanted) * (value - wanted); }).first;
      ASSERT_LE(std::abs(double{means[at]} - wanted), kError);
      const double deviation = std::sqrt(squares / m);
      // Of the variance 21·u·(1 + max|x|/σ), of its root half of that, and a rounding.
      const double error = (21 * (1 + kLargest / deviation) / 2 + 2) * kUnit;
      ASSERT_NEAR(double{invstds[at]} * std::sqrt(squares / m + double{kEpsilon}), 1, error);
    });
  }

  /// Σg and Σg·(x − 3)/2: a lane adds at most 33 rows, lanes 5 times, chunks in double; 2 for the product.
  void expect_gradients(const std::vector<float>& shift, const std::vector<float>& scale) const {
    for_each_channel([&](int run, int channel, std::size_t at) {
      const auto [sum, terms] = sums(run, channel, [](double, double gradient) { return gradient; });
      ASSERT_LE(std::abs(double{shift[at]} - sum), 39 * kUnit * terms);
      const auto [scaled, scaled_terms] =
          sums(run, channel, [](double value, double gradient) { return gradient * (value - 3) / 2; });
      ASSERT_LE(std::abs(double{scale[at]} - scaled), 41 * kUnit * scaled_terms);
    });
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
    const std::vector<float> means = of.mean.download();
    of.expect_statistics(means, of.invstd.download());
    EXPECT_EQ(of.first.download(), means);  // by a momentum of 1
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
    of.expect_statistics(of.mean.download(), of.invstd.download());
  }
}

TYPED_TEST(BatchNormKernels, Backward_SumsGradients) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(fmt::format("{} rows of {}", c.rows, c.channels));
    Matrices<TypeParam> of(c);
    const std::int64_t channels = c.channels;
    kernels::batch_norm_backward<TypeParam>({.x = of.x.data(),
                                             .scale = of.ones.data(),
                                             .shift = of.zeros.data(),
                                             .mean = of.mean.data(),
                                             .invstd = of.invstd.data(),
                                             .y_grad = of.g.data(),
                                             .x_grad = of.result.data(),
                                             .scale_grad = of.second.data(),
                                             .shift_grad = of.first.data(),
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
                                             .extents = of.extents,
                                             .activation = kernels::Activation::kNone,
                                             .x_grad_mode = kernels::GradientMode::kOverwrite},
                                            nullptr);
    of.expect_clean();
    of.expect_gradients(of.first.download(), of.second.download());
  }
}

TYPED_TEST(BatchNormKernels, BackwardOfSharedChannels_SumsGradients) {
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
                                                    .deferred_mean = of.variance.data(),
                                                    .deferred_tilt = of.zeros.data(),
                                                    .workspace = of.workspace.data(),
                                                    .tickets = of.tickets.data(),
                                                    .x_run_stride = of.stride,
                                                    .x_pitch = channels,
                                                    .scale_run_stride = channels,
                                                    .shift_run_stride = 0,
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
  }
}

}  // namespace
}  // namespace gnc
