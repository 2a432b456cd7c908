/// Slices of channels: which ops take which operand as one; the others must refuse it, or they would read and
/// write the channels beside it. That those that take one compute the right thing is in the case tables.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "tests/ops/cases/all.h"
#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/rounding.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

constexpr std::uint64_t kSeed = 20261123;

/// Op and operand.
const std::set<std::pair<std::string_view, std::string_view>> kTaken = {
    {"BatchNormApply", "x"},
    {"BatchNormBackward", "x"},
    {"BatchNormBackward", "x_grad"},
    {"BatchNormConv2dBackward", "x"},
    {"BatchNormConv2dBackward", "x_grad"},
    {"BatchNormConv2dBackward", "y_grad"},
    {"BatchNormForward", "x"},
    {"BatchNormInference", "x"},
    {"BatchNormInferenceBackward", "x"},
    {"BatchNormInferenceBackward", "x_grad"},
    {"BatchNormSharedBackward", "x"},
    {"BatchNormSharedBackward", "x_grad"},
    {"BatchNormSharedFinish", "x"},
    {"BatchNormSharedFinish", "x_grad"},
    {"BatchNormStatistics", "x"},
    {"BatchNormSumConv2dBackward", "x"},
    {"BatchNormSumConv2dBackward", "y_grad"},
    {"Conv2dBackwardInput", "y_grad"},
    {"Conv2dBackwardWeights", "y_grad"},
    {"Conv2dForward", "y"}};

/// Whether it lies in images whose channels are side by side.
bool can_be_slice(const CaseOperand& operand, const Placing& placing) {
  if (operand.values.shape().rank() != 4) return false;
  const auto is_sliceable = [](Layout layout) { return layout == Layout::kNHWC || layout == Layout::kHWNC; };
  if (operand.layout) return is_sliceable(*operand.layout);
  return operand.storage == Storage::kImage && is_sliceable(placing.image.value_or(Layout::kNHWC));
}

/// Places the operands of the op's first case with images, each in turn as a slice of wider images.
template <class Op>
void expect_refusals(Backend& backend, int& count) {
  for (const auto& op_case : OpCases<Op>::cases()) {
    const Operands operands = operands_of<Op>(op_case, Draw(kSeed));
    bool has_images = false;
    for (std::size_t i = 0; i < operands.list.size(); ++i) {
      const CaseOperand& operand = operands.list[i];
      // What is written in place has two names; the tables have it without aliases as well.
      if (!can_be_slice(operand, {}) || !operand.alias.empty() || operand.slice) continue;
      has_images = true;
      ++count;
      SCOPED_TRACE(fmt::format("{}, {}, case {}", Op::kName, operand.name, OpCases<Op>::name(op_case)));
      Operands sliced = operands;
      sliced.list[i].slice = SliceOf{.channels = operand.values.shape()[1] + 2, .first = 1};
      if (kTaken.contains({Op::kName, operand.name})) {
        EXPECT_TRUE(run_case<Op>(backend, op_case, sliced).faults.empty());
      } else {
        expect_error<ShapeError>([&] { run_case<Op>(backend, op_case, sliced); },
                                 {Op::kName, operand.name, "a slice, but must be all channels"});
      }
    }
    if (has_images) return;
  }
}

template <class... Ops>
void expect_refusals_of_all(OpList<Ops...>, Backend& backend, int& count) {
  (expect_refusals<Ops>(backend, count), ...);
}

TEST(Slices, Are_Refused_By_Operands_That_Do_Not_Take_Them) {
  int count = 0;
  expect_refusals_of_all(AllOps{}, oracle(), count);
  EXPECT_GE(count, 30);  // or the tables' images were not found
}

TEST(Slices, Of_A_Gradient_Are_Refused_Beside_The_Gradient_Of_A_Bias) {
  Workbench bench(oracle());
  const Tensor wide = bench.empty_image({2, 8, 4, 4});
  expect_error<ShapeError>(
      [&] {
        bench.run(Conv2dBackwardWeights{.geometry = {.kernel = 3, .stride = 1, .padding = 1},
                                        .x = bench.empty_image({2, 3, 4, 4}),
                                        .y_grad = wide.channels(2, 5),
                                        .weights_grad = bench.empty_weights_gradient({5, 3, 3, 3}),
                                        .bias_grad = bench.empty({5})});
      },
      {"Conv2dBackwardWeights", "y_grad is [2,5,4,4] fp32 NHWC of 8 channels, a slice"});
}

TEST(Slices, Are_Not_Accumulated_Into_The_Gradient_They_Come_From) {
  Workbench bench(oracle());
  const Tensor x = bench.empty_image({2, 3, 4, 4}), gradient = bench.empty_image({2, 3, 4, 4});
  const Tensor channels = bench.empty({3});
  expect_error<ShapeError>(
      [&] {
        bench.run(BatchNormBackward{.x = x,
                                    .scale = channels,
                                    .shift = channels,
                                    .mean = channels,
                                    .invstd = channels,
                                    .y_grad = gradient,
                                    .x_grad = gradient,
                                    .scale_grad = bench.empty({3}),
                                    .shift_grad = bench.empty({3}),
                                    .x_grad_mode = GradientMode::kAccumulate});
      },
      {"BatchNormBackward", "x_grad must not be y_grad"});
}

}  // namespace
}  // namespace gnc::tests
