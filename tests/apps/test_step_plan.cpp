/// The plan of a training step: kernels, arithmetic and traffic, against counts by hand.

#include "apps/measure/step_plan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "apps/measure/plan_report.h"
#include "engine/imaginary_memory.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

PlanTotals row_of(const std::vector<PlanTotals>& rows, std::string_view name) {
  const auto found = std::ranges::find(rows, name, &PlanTotals::name);
  EXPECT_NE(found, rows.end()) << name;
  return found == rows.end() ? PlanTotals{} : *found;
}

/// VGG11 on 32x32: the outputs of its convolutions are 64·32², 128·16², 2·256·8², 2·512·4² and 2·512·2² a
/// picture.
constexpr double kOutputs = 64 * 1024 + 128 * 256 + 2 * 256 * 64 + 2 * 512 * 16 + 2 * 512 * 4;
/// Those of them with a pool behind them.
constexpr double kPooled = 64 * 1024 + 128 * 256 + 256 * 64 + 512 * 16 + 512 * 4;
constexpr double kBatch = 8;

TEST(StepPlan, Counts_The_Kernels_Of_Batch_Norm) {
  const auto rows = totals_by_op(plan_step({.batch_size = 8, .precision = Precision::kBf16}));
  // The convolution makes statistics, and one kernel applies them; backward the convolution behind it makes
  // the parameters' gradients and a part of the input's, and one finishes.
  EXPECT_EQ(row_of(rows, "Conv2dForward").kernels, 8);
  EXPECT_EQ(row_of(rows, "BatchNormForward").kernels, 3);
  EXPECT_EQ(row_of(rows, "BatchNormConv2dBackward").kernels, 2 * 3);
  // With the pools behind the other five in the kernels that apply.
  EXPECT_EQ(row_of(rows, "BatchNormMaxPoolForward").kernels, 5);
  EXPECT_EQ(row_of(rows, "BatchNormMaxPoolBackward").kernels, 2 * 5);
  EXPECT_EQ(row_of(rows, "Conv2dBackwardInput").kernels, 4);  // the pictures have no gradient
  EXPECT_EQ(row_of(rows, "SgdStep").calls, 1);

  // The stem's and the last block's norms have no convolution that is alone or last behind them; the other
  // blocks' meet the next ones', and those within blocks have one each. Gradients of the parameters, gradient
  // of the input.
  const auto of_resnet = totals_by_op(plan_step({.model = "resnet20", .batch_size = 8}));
  EXPECT_EQ(row_of(of_resnet, "BatchNormBackward").kernels, 2 * 2);
  EXPECT_EQ(row_of(of_resnet, "BatchNormSumConv2dBackward").kernels, 2 * 8);
  EXPECT_EQ(row_of(of_resnet, "BatchNormConv2dBackward").kernels, 2 * 9);
  for (const PlanTotals& row : of_resnet) EXPECT_NE(row.name, "SubsampleBackward");

  // Of each of the three dense blocks, of the input's channels alone: convolutions make the layers'
  // statistics.
  const auto of_densenet = totals_by_op(plan_step({.model = "densenet_bc_100_12", .batch_size = 8}));
  EXPECT_EQ(row_of(of_densenet, "BatchNormStatistics").kernels, 3);
}

TEST(StepPlan, Counts_What_Batch_Norm_Moves) {
  const auto rows = totals_by_op(plan_step({.batch_size = 8, .precision = Precision::kBf16}));
  constexpr double kBytes = 2 * kBatch * (kOutputs - kPooled), kPooledBytes = 2 * kBatch * kPooled;
  // x, y; of the convolution behind it y_grad, as large here, x, x_grad; x again, x_grad read and written.
  EXPECT_EQ(row_of(rows, "BatchNormForward").moved_activation_bytes, 2 * kBytes);
  EXPECT_EQ(row_of(rows, "BatchNormConv2dBackward").moved_activation_bytes, 6 * kBytes);
  EXPECT_EQ(row_of(rows, "BatchNormForward").flops, 4 * kBatch * (kOutputs - kPooled));
  // y has a quarter of the pixels, and winners half of its bytes. x, y, winners; x, y_grad and winners twice,
  // x_grad.
  EXPECT_EQ(row_of(rows, "BatchNormMaxPoolForward").moved_activation_bytes, 1.375 * kPooledBytes);
  EXPECT_EQ(row_of(rows, "BatchNormMaxPoolBackward").moved_activation_bytes, 3.75 * kPooledBytes);
}

TEST(StepPlan, Counts_The_Arithmetic_Of_Convolutions) {
  const auto rows = totals_by_op(plan_step({.batch_size = 8}));
  const double multiply_adds =
      9.0 * (3 * 64 * 1024.0 + 64 * 128 * 256.0 + 128 * 256 * 64.0 + 256 * 256 * 64.0 + 256 * 512 * 16.0 +
             512 * 512 * 16.0 + 2 * 512 * 512 * 4.0);
  constexpr double kStatistics = 4 * kBatch * kOutputs;  // of what goes into batch norm
  EXPECT_EQ(row_of(rows, "Conv2dForward").flops, 2 * kBatch * multiply_adds + kStatistics);
  EXPECT_EQ(row_of(rows, "Conv2dBackwardWeights").flops, 2 * kBatch * multiply_adds);
  const double behind_norm = 9.0 * (256 * 256 * 64.0 + 512 * 512 * 16.0 + 512 * 512 * 4.0);
  EXPECT_EQ(row_of(rows, "Conv2dBackwardInput").flops,
            2 * kBatch * (multiply_adds - 9.0 * 3 * 64 * 1024 - behind_norm));
  EXPECT_EQ(row_of(rows, "BatchNormConv2dBackward").flops,
            2 * kBatch * behind_norm + 10 * kBatch * (kOutputs - kPooled));
}

TEST(StepPlan, Rows_Add_Up_To_The_Step_Both_Ways) {
  const StepPlan plan = plan_step({.model = "resnet20", .batch_size = 4});
  const PlanTotals total = total_of(plan);
  for (const auto& rows : {totals_by_op(plan), totals_by_layer(plan)}) {
    int kernels = 0;
    double moved = 0, flops = 0;
    for (const PlanTotals& row : rows) {
      kernels += row.kernels;
      moved += row.moved_bytes;
      flops += row.flops;
    }
    EXPECT_EQ(kernels, total.kernels);
    EXPECT_DOUBLE_EQ(moved, total.moved_bytes);
    EXPECT_DOUBLE_EQ(flops, total.flops);
  }
}

TEST(StepPlan, Bf16_Halves_The_Images) {
  const auto wide = totals_by_op(plan_step({.batch_size = 8}));
  const auto narrow = totals_by_op(plan_step({.batch_size = 8, .precision = Precision::kBf16}));
  EXPECT_EQ(row_of(wide, "Conv2dForward").moved_activation_bytes,
            2 * row_of(narrow, "Conv2dForward").moved_activation_bytes);
}

TEST(StepPlan, Normalises_Again_In_Dense_Blocks_Where_It_Is_Told_To) {
  const auto kernels = [](bool recomputes) {
    return totals_by_op(plan_step({.model = "densenet_40_12", .recomputes = recomputes, .batch_size = 4}));
  };
  EXPECT_EQ(row_of(kernels(true), "BatchNormApply").kernels, 3 * 12);
  const auto kept = kernels(false);
  EXPECT_EQ(std::ranges::count(kept, "BatchNormApply", &PlanTotals::name), 0);
}

TEST(StepPlan, Begins_With_The_Batch_And_Ends_With_The_Update) {
  const StepPlan plan = plan_step({.batch_size = 4});
  EXPECT_EQ(plan.front().name, AugmentNormalize::kName);
  EXPECT_EQ(plan.front().layer, "input");
  EXPECT_EQ(plan.back().name, SgdStep::kName);
  EXPECT_EQ(plan.back().layer, "optimizer");
  EXPECT_TRUE(std::holds_alternative<SgdStep>(plan.back().op));
}

/// Nobody reads a network's outputs where none were computed; the trainer, which looks at its losses, is
/// given zeros.
TEST(ImaginaryMemory, Refuses_To_Be_Read_Or_Gives_Zeros) {
  ImaginaryMemory refusing, zeros(ImaginaryMemory::Reads::kZeros);
  std::array<char, 3> host = {1, 2, 3};
  tests::expect_error<Error>([&] { refusing.download(host.data(), refusing.allocate(3), 3); }, {"3 bytes"});
  zeros.download(host.data(), zeros.allocate(3), 3);
  EXPECT_EQ(host, (std::array<char, 3>{}));
  EXPECT_NE(zeros.allocate(0), zeros.allocate(0));
}

/// As printed: a floor is the last cell of its line.
TEST(StepPlan, Floors_Of_The_Rows_Add_Up_To_That_Of_The_Step) {
  const StepSpec spec{.batch_size = 8, .precision = Precision::kBf16};
  const StepPlan plan = plan_step(spec);
  // Between the rates of VGG11's ops, so that some are bound by memory and some by arithmetic.
  const Ceilings ceilings{.bytes_per_second = 3e12, .flops_per_second = 100e12};
  double expected = 0, flops = 0, bytes = 0;
  for (const PlannedOp& op : plan) {
    expected += 1e6 * std::max(op.cost.flops / 100e12, op.moved_bytes / 3e12);
    flops += op.cost.flops;
    bytes += op.moved_bytes;
  }
  ASSERT_GT(expected, 1.01e6 * std::max(flops / 100e12, bytes / 3e12));
  for (const PlanRows rows : {PlanRows::kOp, PlanRows::kLayer}) {
    const std::string table = to_table(plan, spec, rows, ceilings, 1e-6);
    std::istringstream lines(table);
    std::string line;
    std::getline(lines, line);  // the header and its rule
    std::getline(lines, line);
    double sum = 0;
    int count = 0;
    while (std::getline(lines, line) && !line.starts_with("step ")) {
      std::istringstream last(line.substr(line.rfind(' ') + 1));
      if (double floor = 0; last >> floor) {
        sum += floor;
        ++count;
      }
    }
    ASSERT_TRUE(line.starts_with("step ")) << table;
    const double total = std::stod(line.substr(line.rfind(' ') + 1));
    EXPECT_GT(count, 5) << table;
    // Every number is rounded to 0.1.
    EXPECT_NEAR(total, expected, 0.05 + 1e-9) << table;
    EXPECT_NEAR(total, sum, 0.05 * (count + 1) + 1e-9) << table;
    EXPECT_NE(table.find(fmt::format("{:.3f} ms one op after another", 1e-3 * expected)), std::string::npos)
        << table;
  }
}

TEST(StepPlan, Floors_Are_For_The_Step_They_Were_Counted_For) {
  EXPECT_TRUE(floor_of({.model = "resnet18", .precision = Precision::kBf16}).has_value());
  EXPECT_FALSE(floor_of({.model = "resnet18"}).has_value());
  EXPECT_FALSE(floor_of({.model = "resnet18", .batch_size = 128, .precision = Precision::kBf16}).has_value());
  EXPECT_FALSE(floor_of({.model = "resnet20", .precision = Precision::kBf16}).has_value());
}

}  // namespace
}  // namespace gnc
