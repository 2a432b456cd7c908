/// What an op says of its own cost, against what the case tables say of theirs.

#include <gtest/gtest.h>

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

template <class Op>
void expect_costs_as_in_table() {
  Backend& backend = backend_named("cpu");
  for (const auto& op_case : OpCases<Op>::cases()) {
    if (!is_for<Op>(op_case, backend)) continue;
    constexpr int kRuns = 3;
    const Operands operands = OpCases<Op>::make_inputs(op_case, Draw(1, kRuns));
    const PlacedOperands placed(backend, operands);
    const OpCost cost = cost_of(OpCases<Op>::bind(op_case, placed));
    const std::string name = fmt::format("{} {}", Op::kName, OpCases<Op>::name(op_case));
    if (kHasFlops<Op>) {
      EXPECT_DOUBLE_EQ(cost.flops, kRuns * OpCases<Op>::flops(op_case)) << name;
    }
    if (kHasBytes<Op>) {
      EXPECT_DOUBLE_EQ(cost.bytes, static_cast<double>(operands.bytes())) << name;
    }
    EXPECT_GE(cost.bytes, cost.activation_bytes) << name;
  }
}

template <class... Ops>
void expect_costs(OpList<Ops...>) {
  (expect_costs_as_in_table<Ops>(), ...);
}

TEST(OpCost, Is_That_Of_The_Case_Tables) { expect_costs(AllOps{}); }

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
