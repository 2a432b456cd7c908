/// Batch normalisation of channels that several layers normalise: against the ops that normalise for one
/// alone. Cases: cases/batch_norm_shared.h; a dense block's gradients against differences:
/// tests/engine/test_modules.cpp.

#include "engine/ops/batch_norm_shared.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/rounding.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;

const Shape kImages{3, 20, 6, 7}, kChannels{20};

/// A batch and its statistics.
struct Batch {
  Tensor x, mean, variance, invstd;

  explicit Batch(Workbench& bench)
      : x(bench.image(kImages, random_doubles("x", kImages, -2, 3))),
        mean(bench.empty(kChannels)),
        variance(bench.empty(kChannels)),
        invstd(bench.empty(kChannels)) {
    bench.run(BatchNormStatistics{.x = x, .mean = mean, .variance = variance, .invstd = invstd});
  }
};

/// The parameters of one who normalises it.
struct Consumer {
  Tensor scale, shift, running_mean, running_variance, y;

  Consumer(Workbench& bench, const std::string& name)
      : scale(bench.tensor(kChannels, random_doubles(name + "scale", kChannels, 0.5, 1.5))),
        shift(bench.tensor(kChannels, random_doubles(name + "shift", kChannels))),
        running_mean(bench.tensor(kChannels, Doubles(20, 0.5))),
        running_variance(bench.tensor(kChannels, Doubles(20, 1.0))),
        y(bench.empty_image(kImages)) {}
};

TEST(BatchNormShared, Forward_Gives_The_Bits_Of_A_Normalisation_Of_Its_Own) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Batch batch(bench);
    const Consumer shared(bench, "a"), own(bench, "a");
    const Tensor mean = bench.empty(kChannels), invstd = bench.empty(kChannels);
    bench.run(BatchNormForward{.x = batch.x,
                               .scale = own.scale,
                               .shift = own.shift,
                               .running_mean = own.running_mean,
                               .running_variance = own.running_variance,
                               .mean = mean,
                               .invstd = invstd,
                               .y = own.y,
                               .activation = Activation::kRelu});
    bench.run(BatchNormForward{.x = batch.x,
                               .scale = shared.scale,
                               .shift = shared.shift,
                               .running_mean = shared.running_mean,
                               .running_variance = shared.running_variance,
                               .mean = batch.mean,
                               .invstd = batch.invstd,
                               .variance = batch.variance,
                               .y = shared.y,
                               .activation = Activation::kRelu});
    EXPECT_EQ(bench.values(batch.mean), bench.values(mean));
    EXPECT_EQ(bench.values(batch.invstd), bench.values(invstd));
    EXPECT_EQ(bench.values(shared.y), bench.values(own.y));
    // Mean and variance have been rounded on the way.
    for (const auto& [a, b] : {std::pair{shared.running_mean, own.running_mean},
                               std::pair{shared.running_variance, own.running_variance}}) {
      const Doubles of_shared = bench.values(a), of_own = bench.values(b);
      for (std::size_t i = 0; i < of_own.size(); ++i)
        EXPECT_NEAR(of_shared[i], of_own[i], 4 * kUnitRoundoff * std::max(1.0, of_own[i])) << i;
    }
  });
}

/// Two who normalise the same channels leave, once it is finished, the gradient that two who finish each for
/// themselves do.
TEST(BatchNormShared, Backward_Of_Two_Is_The_Sum_Of_Their_Gradients) {
  Workbench bench(oracle(), DType::kF64);
  const Batch batch(bench);
  const Doubles before = random_doubles("x_grad", kImages);
  const Tensor expected = bench.image(kImages, before), actual = bench.image(kImages, before);
  const Tensor mean_term = bench.empty(kChannels), tilt_term = bench.empty(kChannels);
  for (const std::string name : {"a", "b"}) {
    SCOPED_TRACE(name);
    const Consumer consumer(bench, name);
    const Tensor y_grad = bench.image(kImages, random_doubles(name + "y_grad", kImages));
    Tensor scale_grads[2], shift_grads[2];
    for (Tensor& gradient : scale_grads) gradient = bench.empty(kChannels);
    for (Tensor& gradient : shift_grads) gradient = bench.empty(kChannels);
    bench.run(BatchNormBackward{.x = batch.x,
                                .scale = consumer.scale,
                                .shift = consumer.shift,
                                .mean = batch.mean,
                                .invstd = batch.invstd,
                                .y_grad = y_grad,
                                .x_grad = expected,
                                .scale_grad = scale_grads[0],
                                .shift_grad = shift_grads[0],
                                .activation = Activation::kRelu,
                                .x_grad_mode = GradientMode::kAccumulate});
    bench.run(BatchNormSharedBackward{
        .x = batch.x,
        .scale = consumer.scale,
        .shift = consumer.shift,
        .mean = batch.mean,
        .invstd = batch.invstd,
        .y_grad = y_grad,
        .x_grad = actual,
        .scale_grad = scale_grads[1],
        .shift_grad = shift_grads[1],
        .deferred_mean = mean_term,
        .deferred_tilt = tilt_term,
        .activation = Activation::kRelu,
        .deferred_mode = name == "a" ? GradientMode::kOverwrite : GradientMode::kAccumulate});
    EXPECT_EQ(bench.values(scale_grads[1]), bench.values(scale_grads[0]));
    EXPECT_EQ(bench.values(shift_grads[1]), bench.values(shift_grads[0]));
  }
  bench.run(BatchNormSharedFinish{.x = batch.x,
                                  .mean = batch.mean,
                                  .deferred_mean = mean_term,
                                  .deferred_tilt = tilt_term,
                                  .x_grad = actual});
  const Doubles sums = bench.values(expected), deferred = bench.values(actual);
  // Some ten terms of at most 4 in double.
  for (std::size_t i = 0; i < sums.size(); ++i) EXPECT_NEAR(deferred[i], sums[i], 1e-14) << i;
}

/// In bf16 the gradient is rounded where it is stored: once for each who normalises, and once when it is
/// finished. Each time by u of what is there at most, which is known; what fp32 adds is less than a hundredth
/// of that.
TEST(BatchNormShared, Gradient_In_Bf16_Is_Rounded_Once_A_Consumer_And_Once_When_It_Is_Finished) {
  constexpr double kU = kBf16UnitRoundoff;
  constexpr int kConsumers = 6;
  int count = 0;
  for (const BackendChoice& choice : backend_choices()) {
    if (choice.precision != Precision::kBf16) continue;
    SCOPED_TRACE(choice.to_string());
    ++count;
    Workbench bench(backend_named(choice.device, choice.precision), DType::kBf16);
    const Batch batch(bench);
    const Doubles x = bench.values(batch.x), mean = bench.values(batch.mean),
                  invstd = bench.values(batch.invstd);
    const Tensor x_grad = bench.image(kImages, random_doubles("x_grad", kImages));
    const Tensor mean_term = bench.empty(kChannels), tilt_term = bench.empty(kChannels);
    const auto channel_of = [](std::size_t i) { return i / 42 % 20; };
    constexpr double kCount = 3 * 42;
    Doubles exact = bench.values(x_grad), error(exact.size()), of_mean(20), of_tilt(20);
    for (int consumer = 0; consumer < kConsumers; ++consumer) {
      const std::string name = fmt::format("{}", consumer);
      const Consumer own(bench, name);
      const Tensor y_grad = bench.image(kImages, random_doubles(name + "y_grad", kImages));
      bench.run(BatchNormSharedBackward{
          .x = batch.x,
          .scale = own.scale,
          .shift = own.shift,
          .mean = batch.mean,
          .invstd = batch.invstd,
          .y_grad = y_grad,
          .x_grad = x_grad,
          .scale_grad = bench.empty(kChannels),
          .shift_grad = bench.empty(kChannels),
          .deferred_mean = mean_term,
          .deferred_tilt = tilt_term,
          .activation = Activation::kRelu,
          .deferred_mode = consumer == 0 ? GradientMode::kOverwrite : GradientMode::kAccumulate});
      const Doubles scale = bench.values(own.scale), shift = bench.values(own.shift),
                    gradient = bench.values(y_grad);
      for (std::size_t i = 0; i < exact.size(); ++i) {
        const std::size_t c = channel_of(i);
        const double slope = scale[c] * invstd[c], activation = slope * (x[i] - mean[c]) + shift[c];
        ASSERT_GT(std::fabs(activation), 1e-6) << "choose another seed";
        const double g = activation > 0 ? gradient[i] : 0;
        exact[i] += slope * g;
        error[i] += kU * (std::fabs(exact[i]) + error[i]);
        of_mean[c] += slope * g / kCount;
        of_tilt[c] += slope * invstd[c] * invstd[c] * g * (x[i] - mean[c]) / kCount;
      }
    }
    bench.run(BatchNormSharedFinish{.x = batch.x,
                                    .mean = batch.mean,
                                    .deferred_mean = mean_term,
                                    .deferred_tilt = tilt_term,
                                    .x_grad = x_grad});
    const Doubles actual = bench.values(x_grad);
    double largest_error = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      const std::size_t c = channel_of(i);
      exact[i] -= of_mean[c] + (x[i] - mean[c]) * of_tilt[c];
      error[i] += kU * (std::fabs(exact[i]) + error[i]);
      ASSERT_NEAR(actual[i], exact[i], 1.01 * error[i] + 1e-5) << i;
      largest_error = std::max(largest_error, std::fabs(actual[i] - exact[i]));
    }
    EXPECT_GT(largest_error, kU) << "nothing was rounded: the comparison says nothing";
  }
  EXPECT_GT(count, 0);
}

TEST(BatchNormShared, Refuses_To_Write_Over_What_It_Reads) {
  Workbench bench(oracle());
  const Batch batch(bench);
  const Consumer consumer(bench, "a");
  expect_error<ShapeError>(
      [&] {
        bench.run(BatchNormForward{.x = batch.x,
                                   .scale = consumer.scale,
                                   .shift = consumer.shift,
                                   .running_mean = consumer.running_mean,
                                   .running_variance = consumer.running_variance,
                                   .mean = batch.mean,
                                   .invstd = batch.invstd,
                                   .variance = batch.variance,
                                   .y = batch.x});
      },
      {"BatchNormForward", "y must not be x"});
  expect_error<ShapeError>(
      [&] {
        bench.run(BatchNormSharedBackward{.x = batch.x,
                                          .scale = consumer.scale,
                                          .shift = consumer.shift,
                                          .mean = batch.mean,
                                          .invstd = batch.invstd,
                                          .y_grad = consumer.y,
                                          .x_grad = consumer.y,
                                          .scale_grad = consumer.running_mean,
                                          .shift_grad = consumer.running_variance,
                                          .deferred_mean = bench.empty(kChannels),
                                          .deferred_tilt = bench.empty(kChannels)});
      },
      {"BatchNormSharedBackward", "x_grad must not be y_grad"});
}

}  // namespace
}  // namespace gnc::tests
