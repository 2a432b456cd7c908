/// What an op says of its own cost, against what the case tables say of theirs.

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "engine/ops/op_cost.h"
#include "tests/ops/cases/all.h"
#include "tests/support/backends.h"

namespace gnc::tests {
namespace {

/// Tables count some ops by the case and not by the operands: how many steps the search for a frame takes
/// depends on the numbers, and the table's guess is for a benchmark.
template <class Op>
constexpr bool kHasFlops = !std::is_same_v<Op, CorrelationDescent>;

/// Tables count what is stored; the op what it picks of that.
template <class Op>
constexpr bool kHasBytes = !std::is_same_v<Op, AugmentNormalize>;

/// Bytes of `x` that no window touches, place by place.
double untouched_bytes(const ConstTensor& x, const ConstTensor& y, int kernel, int stride, int padding) {
  const int height = x.shape()[2], width = x.shape()[3];
  std::set<std::pair<int, int>> touched;
  for (int row = 0; row < y.shape()[2]; ++row)
    for (int column = 0; column < y.shape()[3]; ++column)
      for (int i = 0; i < kernel; ++i)
        for (int j = 0; j < kernel; ++j) {
          const int at = row * stride - padding + i, beside = column * stride - padding + j;
          if (at >= 0 && at < height && beside >= 0 && beside < width) touched.insert({at, beside});
        }
  const double channels = static_cast<double>(x.shape()[0]) * x.shape()[1] * x.runs();
  return channels * (height * width - static_cast<double>(touched.size())) * sizeof(float);
}

/// What the tables count beside what the op reads.
template <class Op>
double unread_bytes(const Op&) {
  return 0;
}
double unread_bytes(const AveragePoolForward& op) {
  return untouched_bytes(op.x, op.y, op.geometry.kernel, op.geometry.stride, op.geometry.padding);
}
double unread_bytes(const MaxPoolForward& op) {
  return untouched_bytes(op.x, op.y, op.geometry.kernel, op.geometry.stride, op.geometry.padding);
}
double unread_bytes(const Conv2dForward& op) {
  return untouched_bytes(op.x, op.y, op.geometry.kernel, op.geometry.stride, op.geometry.padding);
}
double unread_bytes(const Conv2dBackwardWeights& op) {
  return untouched_bytes(op.x, op.y_grad, op.geometry.kernel, op.geometry.stride, op.geometry.padding);
}
/// Where it is added to, neither read nor written.
double unread_bytes(const Conv2dBackwardInput& op) {
  if (op.x_grad_mode == GradientMode::kOverwrite) return 0;
  return 2 *
         untouched_bytes(op.x_grad, op.y_grad, op.geometry.kernel, op.geometry.stride, op.geometry.padding);
}
double unread_bytes(const SubsampleBackward& op) {
  return op.x_grad_mode == GradientMode::kOverwrite
             ? 0
             : 2 * untouched_bytes(op.x_grad, op.y_grad, 1, op.stride, 0);
}
double unread_bytes(const SubsampleForward& op) { return untouched_bytes(op.x, op.y, 1, op.stride, 0); }

/// Of what the others gave, the channels that are not the block's.
double unread_bytes(const BatchNormSumConv2dBackward& op) {
  return bytes_of(op.others_grad) * (1 - static_cast<double>(op.x.shape()[1]) / op.others_grad.shape()[1]);
}

template <class Op>
void expect_costs_as_in_table() {
  Backend& backend = backend_named("cpu");
  for (const auto& op_case : OpCases<Op>::cases()) {
    if (!is_for<Op>(op_case, backend)) continue;
    constexpr int kRuns = 3;
    const Operands operands = OpCases<Op>::make_inputs(op_case, Draw(1, kRuns));
    const PlacedOperands placed(backend, operands);
    const Op op = OpCases<Op>::bind(op_case, placed);
    const OpCost cost = cost_of(op);
    const std::string name = fmt::format("{} {}", Op::kName, OpCases<Op>::name(op_case));
    if (kHasFlops<Op>) {
      EXPECT_DOUBLE_EQ(cost.flops, kRuns * OpCases<Op>::flops(op_case)) << name;
    }
    if (kHasBytes<Op>) {
      // Beside the places' share of a whole tensor, which is a quotient, all are whole numbers.
      EXPECT_NEAR(cost.bytes, static_cast<double>(operands.bytes()) - unread_bytes(op), 0.5) << name;
    }
    EXPECT_GE(cost.bytes, cost.activation_bytes) << name;
  }
}

template <class... Ops>
void expect_costs(OpList<Ops...>) {
  (expect_costs_as_in_table<Ops>(), ...);
}

TEST(OpCost, Is_That_Of_The_Case_Tables) { expect_costs(AllOps{}); }

/// The shortcut of a ResNet: a 1x1 convolution of every other pixel.
TEST(OpCost, Narrow_Windows_Read_What_They_Touch) {
  Backend& backend = backend_named("cpu");
  const DeviceTensor x(backend.memory(), {.shape = {2, 3, 8, 6}, .layout = Layout::kNHWC});
  const DeviceTensor y(backend.memory(), {.shape = {2, 5, 4, 3}, .layout = Layout::kNHWC});
  const DeviceTensor weights(backend.memory(), {.shape = {5, 3, 1, 1}});
  const Conv2dGeometry geometry{.kernel = 1, .stride = 2, .padding = 0};
  const double read = 4.0 * 2 * 3 * 4 * 3, written = 4.0 * 2 * 5 * 4 * 3;
  EXPECT_DOUBLE_EQ(
      cost_of(Conv2dForward{.geometry = geometry, .x = x.view(), .weights = weights.view(), .y = y.view()})
          .activation_bytes,
      read + written);
  // The gradient is written everywhere, zeros included.
  EXPECT_DOUBLE_EQ(
      cost_of(Conv2dBackwardInput{
                  .geometry = geometry, .weights = weights.view(), .y_grad = y.view(), .x_grad = x.view()})
          .activation_bytes,
      4.0 * 2 * 3 * 8 * 6 + written);
  // Unless it is added to: then there is nothing to do elsewhere.
  EXPECT_DOUBLE_EQ(cost_of(Conv2dBackwardInput{.geometry = geometry,
                                               .weights = weights.view(),
                                               .y_grad = y.view(),
                                               .x_grad = x.view(),
                                               .x_grad_mode = GradientMode::kAccumulate})
                       .activation_bytes,
                   2 * read + written);
}

TEST(OpCost, Shared_Operands_Count_Once) {
  Backend& backend = backend_named("cpu");
  const DeviceTensor x(backend.memory(), {.shape = {2, 3, 4, 4}, .layout = Layout::kNHWC});
  const DeviceTensor weights(backend.memory(), {.shape = Shape({5, 3, 3, 3}, 2)});
  const DeviceTensor y(backend.memory(), {.shape = Shape({2, 5, 4, 4}, 2), .layout = Layout::kNHWC});
  const OpCost cost = cost_of(
      Conv2dForward{.geometry = {}, .x = x.view().shared_by(2), .weights = weights.view(), .y = y.view()});
  EXPECT_DOUBLE_EQ(cost.activation_bytes, 4.0 * (2 * 3 * 16 + 2 * 2 * 5 * 16));
  EXPECT_DOUBLE_EQ(cost.bytes, cost.activation_bytes + 4.0 * 2 * 5 * 27);
  EXPECT_DOUBLE_EQ(cost.flops, 2.0 * 2 * (2 * 5 * 16) * 27);
}

/// Of 7 stored pictures a batch of 2 is read.
TEST(OpCost, Counts_The_Pictures_That_Are_Picked) {
  using Cases = OpCases<AugmentNormalize>;
  const AugmentNormalizeCase op_case{.stored = 7, .y = {2, 3, 4, 4}};
  Backend& backend = backend_named("cpu");
  const PlacedOperands placed(backend, Cases::make_inputs(op_case, Draw(1)));
  const double image = 3 * 4 * 4;
  // Pixels; index, flip and two shifts; scale and offset; the batch in fp32.
  EXPECT_DOUBLE_EQ(cost_of(Cases::bind(op_case, placed)).bytes,
                   2 * image + 2 * (4 + 1 + 8) + 2 * 4 * image + 2 * 4 * image);
}

}  // namespace
}  // namespace gnc::tests
