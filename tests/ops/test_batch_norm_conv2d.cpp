/// A batch normalisation and the convolution behind it, backward: what no case table shows. Cases:
/// cases/batch_norm_conv2d.h.

#include "engine/ops/batch_norm_conv2d.h"

#include <gtest/gtest.h>

#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;

constexpr Conv2dGeometry k1x1{.kernel = 1, .stride = 1, .padding = 0};
const Shape kImages{8, 2, 16, 16}, kChannels{2}, kWeights{1, 2, 1, 1}, kGradient{8, 1, 16, 16};

/// Operands of an op on shared channels; the tests change one.
BatchNormConv2dBackward operands(Workbench& bench) {
  return {.geometry = k1x1,
          .weights = bench.weights(kWeights, Doubles{1, 1}),
          .y_grad = bench.image(kGradient, Doubles(8 * 256, 1.0)),
          .x = bench.image(kImages, random_doubles("x", kImages, 1, 3)),
          .scale = bench.tensor(kChannels, {1.7, -0.6}),
          .shift = bench.tensor(kChannels, {0, 0}),
          .mean = bench.tensor(kChannels, {2, 2}),
          .invstd = bench.tensor(kChannels, {1, 1}),
          .between = bench.empty_image(kImages),
          .x_grad = bench.image(kImages, Doubles(8 * 512, 0.0)),
          .scale_grad = bench.empty(kChannels),
          .shift_grad = bench.empty(kChannels),
          .deferred_mean = bench.empty(kChannels),
          .deferred_tilt = bench.empty(kChannels),
          .activation = Activation::kRelu};
}

TEST(BatchNormConv2d, Masks_Exactly_What_The_Forward_Pass_Cut_Off) {
  // With a gradient of 1 in between, the shift's gradient counts the positive outputs. A quarter of them is
  // made to lie within rounding of zero: the shift is minus a normalised value.
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    for (int trial = 0; trial < 20; ++trial) {
      Workbench bench(backend);
      Doubles x = random_doubles(fmt::format("x{}", trial), kImages, 1, 3);
      for (std::size_t i = 0; i < x.size(); i += 4) x[i] = 2.3;
      BatchNormConv2dBackward op = operands(bench);
      op.x = bench.image(kImages, x);
      const Tensor mean = bench.empty(kChannels), variance = bench.empty(kChannels),
                   invstd = bench.empty(kChannels), y = bench.empty_image(kImages);
      bench.run(BatchNormStatistics{.x = op.x, .mean = mean, .variance = variance, .invstd = invstd});
      op.mean = mean;
      op.invstd = invstd;
      const auto apply = [&](Activation activation) {
        bench.run(BatchNormApply{.x = op.x,
                                 .scale = op.scale,
                                 .shift = op.shift,
                                 .mean = mean,
                                 .invstd = invstd,
                                 .y = y,
                                 .activation = activation});
        return bench.values(y);
      };
      const Doubles normalized = apply(Activation::kNone);
      op.shift = bench.tensor(kChannels, {-normalized[0], -normalized[256]});
      const Doubles outputs = apply(Activation::kRelu);
      bench.run(op);
      Doubles positive(2, 0.0);
      for (std::size_t i = 0; i < outputs.size(); ++i) positive[i / 256 % 2] += outputs[i] > 0 ? 1 : 0;
      EXPECT_EQ(bench.values(op.shift_grad), positive) << "trial " << trial;
    }
  });
}

template <class Change>
void expect_refusal(const Change& change, std::initializer_list<std::string_view> parts) {
  Workbench bench(oracle());
  BatchNormConv2dBackward op = operands(bench);
  change(bench, op);
  expect_error<ShapeError>([&] { bench.run(op); }, parts);
}

TEST(BatchNormConv2d, Names_What_Does_Not_Fit) {
  using Op = BatchNormConv2dBackward;
  expect_refusal(
      [](Workbench& bench, Op& op) {
        op.between = bench.empty_image({8, 3, 16, 16});
      },
      {"BatchNormConv2dBackward", "between [8,3,16,16]"});
  expect_refusal(
      [](Workbench& bench, Op& op) {
        op.y_grad = bench.empty_image({8, 1, 8, 8});
      },
      {"BatchNormConv2dBackward", "y_grad is [8,1,8,8]"});
  expect_refusal([](Workbench& bench, Op& op) { op.scale = bench.empty({3}); },
                 {"BatchNormConv2dBackward", "scale is [3]"});
  expect_refusal([](Workbench& bench, Op& op) { op.deferred_tilt = bench.empty({3}); },
                 {"BatchNormConv2dBackward", "deferred_tilt is [3]"});
  expect_refusal([](Workbench&, Op& op) { op.between = {}; },
                 {"BatchNormConv2dBackward", "of between, deferred_mean and deferred_tilt some are missing"});
}

TEST(BatchNormConv2d, Refuses_To_Write_Over_What_It_Reads) {
  using Op = BatchNormConv2dBackward;
  const auto own = [](Op& op) { op.between = op.deferred_mean = op.deferred_tilt = {}; };
  expect_refusal([](Workbench& bench, Op& op) { op.x = op.between = bench.empty_image(kImages); },
                 {"BatchNormConv2dBackward", "between must not be x"});
  expect_refusal([](Workbench&, Op& op) { op.between = op.x_grad; },
                 {"BatchNormConv2dBackward", "x_grad must not be between"});
  expect_refusal([](Workbench& bench, Op& op) { op.x = op.x_grad = bench.empty_image(kImages); },
                 {"BatchNormConv2dBackward", "x_grad must not be x"});
  expect_refusal(
      [&](Workbench& bench, Op& op) {
        own(op);
        op.weights = bench.weights({2, 2, 1, 1}, Doubles(4, 1.0));
        op.y_grad = op.x_grad;
      },
      {"BatchNormConv2dBackward", "x_grad must not be y_grad"});
}

}  // namespace
}  // namespace gnc::tests
