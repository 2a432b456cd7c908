#pragma once
/// The step plan as a table: kernels, traffic and floor times, beside the floors of an ideal engine.

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

#include "apps/measure/ceilings.h"
#include "apps/measure/step_plan.h"

namespace gnc {

/// Rows of the table.
enum class PlanRows : std::uint8_t { kOp, kLayer };

/// What a step of a network costs an engine that fuses it more or less, in bf16 at a batch of 256 pictures of
/// 32x32: activation traffic (bytes) and launches.
struct StepFloor {
  std::string_view model;
  double eager_bytes = 0;    ///< every layer a kernel, as PyTorch runs them
  double compile_bytes = 0;  ///< batch norm and ReLU in one
  double semi_bytes = 0;     ///< statistics in the convolutions' epilogues: the first bar
  double full_bytes = 0;     ///< normalised while operands are loaded
  int most_kernels = 0;      ///< of the first bar
};

/// Of a model and the precision, batch and size that the floors are for; else nothing.
std::optional<StepFloor> floor_of(const StepSpec& spec);

/// Kernels, FLOPs, bytes (least, and what the present kernels move) and floor times. A row's floor is the sum
/// over its ops of the time that each cannot go below at the ceilings given for what it moves; the row `step`
/// is the sum of the rows. Below it the floor if all ops overlapped, and launches at `seconds_a_launch`.
std::string to_table(const StepPlan& plan, const StepSpec& spec, PlanRows rows, const Ceilings& ceilings,
                     double seconds_a_launch);
nlohmann::ordered_json to_json(const StepPlan& plan, const StepSpec& spec, const Ceilings& ceilings);

}  // namespace gnc
