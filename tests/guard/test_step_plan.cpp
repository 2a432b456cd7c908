/// The plan of a training step against its committed budget: kernels and traffic may not grow.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "apps/measure/plan_report.h"
#include "apps/measure/step_plan.h"
#include "tests/guard/budget.h"

namespace gnc::tests {
namespace {

/// Bytes to a hundredth of a megabyte, which is far below any tensor that matters.
double megabytes(double bytes) { return std::round(bytes / 1e4) / 100; }

/// In bf16; both tests ask for the same.
const StepPlan& bf16_plan(const std::string& model) {
  static std::map<std::string, StepPlan> plans;
  const auto [plan, is_new] = plans.try_emplace(model);
  if (is_new) plan->second = plan_step({.model = model, .precision = Precision::kBf16});
  return plan->second;
}

void add_rows(Budget& budget, const StepSpec& spec, const StepPlan& plan) {
  std::vector<PlanTotals> rows = totals_by_op(plan);
  rows.push_back(total_of(plan));
  for (const PlanTotals& row : rows)
    budget.rows[fmt::format("{} {} {}", spec.model, to_string(spec.precision), row.name)] = {
        static_cast<double>(row.calls), static_cast<double>(row.kernels), std::round(row.flops / 1e6) / 1000,
        megabytes(row.moved_bytes), megabytes(row.moved_activation_bytes)};
}

TEST(StepPlanBudget, Kernels_And_Bytes_Do_Not_Grow) {
  // An op more or less is no matter in itself; nor are FLOPs, which a step has to do.
  Budget budget{.pins = {},
                .columns = {{.name = "ops", .worse = Worse::kNeither},
                            {.name = "kernels"},
                            {.name = "gflop", .worse = Worse::kNeither},
                            {.name = "moved_mb"},
                            {.name = "moved_activation_mb"}},
                .rows = {}};
  for (const char* model : {"vgg11_bn", "resnet18", "densenet_bc_100_12"})
    add_rows(budget, {.model = model, .precision = Precision::kBf16}, bf16_plan(model));
  add_rows(budget, {}, plan_step({}));
  expect_within("step_plan", std::filesystem::path(GNC_GUARD_FOLDER) / "step_plan.tsv", budget);
}

/// Where the present step stands against the bars of a semi-fused engine. A bar that is met has to stay met.
TEST(StepPlanBudget, Bars_That_Are_Met_Stay_Met) {
  Budget budget{.pins = {}, .columns = {{.name = "met", .worse = Worse::kLess}}, .rows = {}};
  for (const char* model : {"vgg11_bn", "resnet18", "densenet_bc_100_12"}) {
    const StepSpec spec{.model = model, .precision = Precision::kBf16};
    const PlanTotals total = total_of(bf16_plan(model));
    const auto floor = floor_of(spec);
    ASSERT_TRUE(floor.has_value()) << model;
    std::printf("%s: %.0f MB of activations, the bar is %.0f; %d kernels, the bar is %d\n", model,
                1e-6 * total.moved_activation_bytes, 1e-6 * floor->semi_bytes, total.kernels,
                floor->most_kernels);
    // No engine can do with less than the fully fused one.
    EXPECT_GE(total.moved_activation_bytes, floor->full_bytes) << model;
    budget.rows[fmt::format("{} activations", model)] = {
        total.moved_activation_bytes <= floor->semi_bytes ? 1.0 : 0.0};
    budget.rows[fmt::format("{} kernels", model)] = {total.kernels <= floor->most_kernels ? 1.0 : 0.0};
  }
  expect_within("step_bars", std::filesystem::path(GNC_GUARD_FOLDER) / "step_bars.tsv", budget);
}

}  // namespace
}  // namespace gnc::tests
