/// The end of a residual block and the convolution behind it, backward: what no case table shows. Cases:
/// cases/batch_norm_sum_conv2d.h.

#include "engine/ops/batch_norm_sum_conv2d.h"

#include <gtest/gtest.h>

#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;
using Op = BatchNormSumConv2dBackward;

constexpr Conv2dGeometry k1x1{.kernel = 1, .stride = 1, .padding = 0};
const Shape kImages{2, 2, 3, 5}, kChannels{2}, kWeights{1, 2, 1, 1}, kGradient{2, 1, 3, 5};
constexpr std::size_t kPixels = 2 * 3 * 5;

/// Operands of an op that adds to what the others gave; the tests change one.
Op operands(Workbench& bench) {
  const Tensor addend_grad = bench.image(kImages, Doubles(2 * kPixels, 2.0));
  return {.geometry = k1x1,
          .weights = bench.weights(kWeights, Doubles{1, 3}),
          .y_grad = bench.image(kGradient, Doubles(kPixels, 1.0)),
          .x = bench.image(kImages, random_doubles("x", kImages, 1, 3)),
          .scale = bench.tensor(kChannels, {1.7, -0.6}),
          .shift = bench.tensor(kChannels, {0, 0}),
          .mean = bench.tensor(kChannels, {2, 2}),
          .invstd = bench.tensor(kChannels, {1, 1}),
          .z = bench.image(kImages, random_doubles("z", kImages, 1, 2)),
          .others_grad = addend_grad,
          .addend_grad = addend_grad,
          .x_grad = bench.empty_image(kImages),
          .scale_grad = bench.empty(kChannels),
          .shift_grad = bench.empty(kChannels)};
}

TEST(BatchNormSumConv2d, Masks_By_What_Came_Out_Of_The_Block) {
  // Small whole numbers: exact in every precision.
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    Op op = operands(bench);
    Doubles z(2 * kPixels, 0.0), expected(2 * kPixels, 0.0);
    for (std::size_t i = 0; i < z.size(); ++i) {
      const std::size_t channel = i / 15 % 2;
      z[i] = i % 3 == 0 ? 0.5 : 0;
      expected[i] = z[i] > 0 ? 2 + (channel == 0 ? 1 : 3) : 0;
    }
    op.z = bench.image(kImages, z);
    bench.run(op);
    EXPECT_EQ(bench.values(op.addend_grad), expected);
    EXPECT_EQ(bench.values(op.shift_grad), (Doubles{3.0 * kPixels / 3, 5.0 * kPixels / 3}));
  });
}

TEST(BatchNormSumConv2d, Adds_What_The_Others_Gave_At_Every_Second_Pixel) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    Op op = operands(bench);
    const Shape sampled{2, 5, 2, 3};
    Doubles others(2 * 5 * 6);
    for (std::size_t i = 0; i < others.size(); ++i) others[i] = static_cast<double>(i);
    op.others_grad = bench.image(sampled, others);
    op.others_stride = 2;
    op.others_first_channel = 3;
    bench.run(op);
    Doubles expected(2 * kPixels);
    for (int n = 0; n < 2; ++n)
      for (int c = 0; c < 2; ++c)
        for (int h = 0; h < 3; ++h)
          for (int w = 0; w < 5; ++w) {
            const bool is_sampled = h % 2 == 0 && w % 2 == 0;
            const int from = ((n * 5 + c + 3) * 2 + h / 2) * 3 + w / 2;
            expected[static_cast<std::size_t>(((n * 2 + c) * 3 + h) * 5 + w)] =
                (c == 0 ? 1 : 3) + (is_sampled ? from : 0);
          }
    EXPECT_EQ(bench.values(op.addend_grad), expected);
  });
}

template <class Change>
void expect_refusal(const Change& change, std::initializer_list<std::string_view> parts) {
  Workbench bench(oracle());
  Op op = operands(bench);
  change(bench, op);
  expect_error<ShapeError>([&] { bench.run(op); }, parts);
}

TEST(BatchNormSumConv2d, Names_What_Does_Not_Fit) {
  expect_refusal(
      [](Workbench& bench, Op& op) {
        op.z = bench.empty_image({2, 3, 3, 5});
      },
      {"BatchNormSumConv2dBackward", "z is [2,3,3,5]"});
  expect_refusal(
      [](Workbench& bench, Op& op) {
        op.y_grad = bench.empty_image({2, 1, 3, 3});
      },
      {"BatchNormSumConv2dBackward", "y_grad is [2,1,3,3]"});
  expect_refusal([](Workbench& bench, Op& op) { op.scale = bench.empty({3}); },
                 {"BatchNormSumConv2dBackward", "scale is [3]"});
  expect_refusal(
      [](Workbench& bench, Op& op) {
        op.others_grad = bench.empty_image({2, 2, 2, 3});
      },
      {"BatchNormSumConv2dBackward", "others_grad is [2,2,2,3]"});
  expect_refusal(
      [](Workbench& bench, Op& op) {
        op.others_grad = bench.empty_image({2, 2, 3, 5});
        op.others_first_channel = 1;
      },
      {"BatchNormSumConv2dBackward", "others_grad [2,2,3,5] does not hold the 2 channels", "from channel 1"});
  expect_refusal([](Workbench&, Op& op) { op.others_first_channel = -1; },
                 {"BatchNormSumConv2dBackward", "first channel -1"});
  expect_refusal([](Workbench&, Op& op) { op.others_stride = 0; },
                 {"BatchNormSumConv2dBackward", "stride 0"});
}

TEST(BatchNormSumConv2d, Refuses_To_Write_Over_What_It_Reads) {
  expect_refusal(
      [](Workbench& bench, Op& op) {
        op.x_grad = bench.empty_image(kImages);
        op.others_grad = op.x_grad;
      },
      {"BatchNormSumConv2dBackward", "x_grad must not be others_grad"});
  expect_refusal([](Workbench&, Op& op) { op.z = op.addend_grad; },
                 {"BatchNormSumConv2dBackward", "addend_grad must not be z"});
  expect_refusal([](Workbench&, Op& op) { op.x = op.addend_grad; },
                 {"BatchNormSumConv2dBackward", "addend_grad must not be x"});
  expect_refusal([](Workbench&, Op& op) { op.x_grad = op.addend_grad; },
                 {"BatchNormSumConv2dBackward", "x_grad must not be addend_grad"});
  expect_refusal(
      [](Workbench& bench, Op& op) {
        const Tensor x = bench.empty_image(kImages);
        op.x = op.x_grad = x;
      },
      {"BatchNormSumConv2dBackward", "x_grad must not be x"});
  expect_refusal(
      [](Workbench& bench, Op& op) {
        op.weights = bench.weights({2, 2, 1, 1}, Doubles(4, 1.0));
        op.y_grad = op.addend_grad;
      },
      {"BatchNormSumConv2dBackward", "addend_grad must not be y_grad"});
}

}  // namespace
}  // namespace gnc::tests
