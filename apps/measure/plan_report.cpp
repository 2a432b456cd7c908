#include "apps/measure/plan_report.h"

#include <fmt/format.h>

#include <array>

#include "apps/table.h"

namespace gnc {
namespace {

/// Counted from the shapes of the networks' layers: two bytes for every activation that an engine with that
/// fusion reads or writes. The launches are a goal, not a count; none is
/// set for DenseNet-121.
constexpr std::array<StepFloor, 4> kFloors = {
    {{"vgg11_bn", 1474e6, 1164e6, 931e6, 698e6, 40},
     {"resnet18", 6606e6, 5096e6, 4152e6, 3083e6, 90},
     {"densenet_bc_100_12", 45442e6, 35078e6, 20293e6, 13758e6, 420},
     {"densenet121", 51714e6, 40051e6, 23845e6, 16414e6, 0}}};

std::string megabytes(double bytes) { return fmt::format("{:.1f}", 1e-6 * bytes); }

/// A row of the table, and what its ops cannot go below one after another.
struct PlanRow {
  PlanTotals totals;
  double floor_seconds = 0;
};

std::string_view name_of(const PlannedOp& op, PlanRows rows) {
  return rows == PlanRows::kOp ? op.name : std::string_view(op.layer);
}

/// Each op by itself: what one does with memory does not overlap another's arithmetic.
double floor_of_op(const PlannedOp& op, const Ceilings& ceilings) {
  return ceilings.floor_seconds(op.cost.flops, op.moved_bytes);
}

double floor_of_ops(const StepPlan& plan, const Ceilings& ceilings) {
  double seconds = 0;
  for (const PlannedOp& op : plan) seconds += floor_of_op(op, ceilings);
  return seconds;
}

std::vector<PlanRow> rows_of(const StepPlan& plan, PlanRows rows, const Ceilings& ceilings) {
  std::vector<PlanRow> all;
  for (const PlanTotals& totals : rows == PlanRows::kOp ? totals_by_op(plan) : totals_by_layer(plan)) {
    all.push_back({.totals = totals});
    for (const PlannedOp& op : plan)
      if (name_of(op, rows) == totals.name) all.back().floor_seconds += floor_of_op(op, ceilings);
  }
  return all;
}

std::vector<std::string> cells_of(const PlanTotals& row, double floor_seconds) {
  return {row.name,
          std::to_string(row.calls),
          std::to_string(row.kernels),
          fmt::format("{:.2f}", 1e-9 * row.flops),
          megabytes(row.bytes),
          megabytes(row.moved_bytes),
          megabytes(row.moved_activation_bytes),
          fmt::format("{:.1f}", 1e6 * floor_seconds)};
}

nlohmann::ordered_json json_of(const PlanTotals& row, double floor_seconds) {
  return {{"name", row.name},
          {"calls", row.calls},
          {"kernels", row.kernels},
          {"flops", row.flops},
          {"bytes", row.bytes},
          {"moved_bytes", row.moved_bytes},
          {"moved_activation_bytes", row.moved_activation_bytes},
          {"floor_seconds", floor_seconds}};
}

}  // namespace

std::optional<StepFloor> floor_of(const StepSpec& spec) {
  if (spec.precision != Precision::kBf16 || spec.batch_size != 256 || spec.image_size != 32 ||
      spec.width != 1)
    return std::nullopt;
  for (const StepFloor& floor : kFloors)
    if (floor.model == spec.model) return floor;
  return std::nullopt;
}

std::string to_table(const StepPlan& plan, const StepSpec& spec, PlanRows rows, const Ceilings& ceilings,
                     double seconds_a_launch) {
  TextTable table({{rows == PlanRows::kOp ? "op" : "layer", Align::kLeft},
                   {"ops"},
                   {"kernels"},
                   {"GFLOP"},
                   {"least MB"},
                   {"moved MB"},
                   {"of them activations"},
                   {"floor us"}});
  for (const PlanRow& row : rows_of(plan, rows, ceilings))
    table.add_row(cells_of(row.totals, row.floor_seconds));
  table.add_rule();
  const PlanTotals total = total_of(plan);
  const double ops = floor_of_ops(plan, ceilings), launches = seconds_a_launch * total.kernels;
  table.add_row(cells_of(total, ops));
  std::string text = table.to_string();
  text += fmt::format(
      "floors at {:.0f} GB/s (moved MB) and {:.0f} TFLOP/s: {:.3f} ms one op after another (the sum of the "
      "rows), {:.3f} ms if all ops overlapped; {} launches of {:.1f} us are {:.3f} ms\n",
      1e-9 * ceilings.bytes_per_second, 1e-12 * ceilings.flops_per_second, 1e3 * ops,
      1e3 * ceilings.floor_seconds(total.flops, total.moved_bytes), total.kernels, 1e6 * seconds_a_launch,
      1e3 * launches);
  if (const auto floor = floor_of(spec)) {
    text += fmt::format(
        "activations: {} MB moved; an engine that fuses nothing {}, batch norm with ReLU {}, statistics with "
        "convolutions {}, everything {}\n",
        megabytes(total.moved_activation_bytes), megabytes(floor->eager_bytes),
        megabytes(floor->compile_bytes), megabytes(floor->semi_bytes), megabytes(floor->full_bytes));
    if (floor->most_kernels > 0)
      text += fmt::format("bar: {} MB and {} kernels; {:.2f} and {:.2f} times as many here\n",
                          megabytes(floor->semi_bytes), floor->most_kernels,
                          total.moved_activation_bytes / floor->semi_bytes,
                          static_cast<double>(total.kernels) / floor->most_kernels);
  }
  return text;
}

nlohmann::ordered_json to_json(const StepPlan& plan, const StepSpec& spec, const Ceilings& ceilings) {
  const double floor = floor_of_ops(plan, ceilings);
  nlohmann::ordered_json json = {{"model", spec.model},
                                 {"batch_size", spec.batch_size},
                                 {"width", spec.width},
                                 {"precision", to_string(spec.precision)},
                                 {"total", json_of(total_of(plan), floor)},
                                 {"floor_seconds", floor}};
  for (const PlanRow& row : rows_of(plan, PlanRows::kOp, ceilings))
    json["ops"].push_back(json_of(row.totals, row.floor_seconds));
  for (const PlanRow& row : rows_of(plan, PlanRows::kLayer, ceilings))
    json["layers"].push_back(json_of(row.totals, row.floor_seconds));
  if (const auto ideal = floor_of(spec))
    json["floor"] = {{"eager_bytes", ideal->eager_bytes},
                     {"compile_bytes", ideal->compile_bytes},
                     {"semi_bytes", ideal->semi_bytes},
                     {"full_bytes", ideal->full_bytes},
                     {"most_kernels", ideal->most_kernels}};
  return json;
}

}  // namespace gnc
