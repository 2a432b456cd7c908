#pragma once
/// Cases of engine/ops/sgd_step.h.

#include <vector>

#include "engine/ops/sgd_step.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct SgdStepCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int count = 1;
  float learning_rate = 0.1F;
  float momentum = 0.9F;
  float weight_decay = 5e-4F;
  bool has_bf16_values = false;
  int losses = 0;  // 0: not given
  bool has_non_finite = false;
  MomentumKind momentum_kind = MomentumKind::kClassical;
};

template <>
struct OpCases<SgdStep> {
  using Case = SgdStepCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {
        {.count = 1},
        {.count = 1, .momentum = 0, .weight_decay = 0},
        {.count = 7, .learning_rate = 0.01F},
        {.count = 33, .weight_decay = 0},
        {.count = 1031, .learning_rate = 1, .weight_decay = 0.5F},
        {.count = 65537},
        {.count = 1, .momentum_kind = MomentumKind::kNesterov},
        {.count = 1031, .momentum = 0.5F, .momentum_kind = MomentumKind::kNesterov},
        {.count = 1031, .has_bf16_values = true, .momentum_kind = MomentumKind::kNesterov},
        {.count = 1, .has_bf16_values = true},
        {.count = 33, .has_bf16_values = true},
        {.count = 1031, .has_bf16_values = true},
        {.count = 65537, .has_bf16_values = true},
        {.count = 1, .has_non_finite = true},
        {.count = 33, .losses = 1},
        {.count = 1031, .losses = 300, .has_non_finite = true},
        {.count = 1031, .has_bf16_values = true, .has_non_finite = true},
        {.count = 65537, .has_non_finite = true, .momentum_kind = MomentumKind::kNesterov}};
    return table;
  }

  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {
        {.label = "vgg11", .count = 9'231'114},
        {.label = "vgg11.checked", .count = 9'231'114, .losses = 256, .has_non_finite = true},
        {.label = "vgg11.bf16", .count = 9'231'114, .has_bf16_values = true}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format(
        "{}.lr{}.momentum{}.decay{}{}{}{}{}", c.count, c.learning_rate, c.momentum, c.weight_decay,
        c.has_bf16_values ? ".bf16" : "", c.losses > 0 ? fmt::format(".losses{}", c.losses) : "",
        c.has_non_finite ? ".checked" : "", c.momentum_kind == MomentumKind::kNesterov ? ".nesterov" : "");
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Shape shape{c.count};
    Operands operands{
        .runs = draw.runs(),
        .list = {
            {.name = "values", .values = draw.uniform("values", shape), .access = Access::kUpdate},
            {.name = "gradients", .values = draw.uniform("gradients", shape)},
            {.name = "momentum_buffer", .values = draw.uniform("buffer", shape), .access = Access::kUpdate}}};
    if (c.has_bf16_values)
      operands.list.push_back(
          {.name = "bf16_values", .values = draw.nothing(shape, DType::kBf16), .access = Access::kWrite});
    if (c.losses > 0)
      operands.list.push_back({.name = "losses", .values = draw.uniform("losses", {c.losses})});
    if (c.has_non_finite)
      operands.list.push_back({.name = "non_finite",
                               .values = draw.integers("non_finite", {1}, DType::kI32, 2),
                               .access = Access::kUpdate});
    return operands;
  }

  static SgdStep bind(const Case& c, const PlacedOperands& operands) {
    return {.values = operands["values"],
            .gradients = operands["gradients"],
            .momentum_buffer = operands["momentum_buffer"],
            .bf16_values = operands["bf16_values"],
            .losses = operands["losses"],
            .non_finite = operands["non_finite"],
            .learning_rate = c.learning_rate,
            .momentum = c.momentum,
            .weight_decay = c.weight_decay,
            .momentum_kind = c.momentum_kind};
  }

  /// All operands are at most 1. The buffer, at most B = momentum + 1 + decay, takes four roundings; the
  /// value, at most 1 + rate·B, takes two, and the rate times the buffer's error. The bf16 copies of two
  /// values that far apart are both rounded, each by u of its value, which is at most 1/(1−u) of the copy.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double buffer = double{c.momentum} + 1 + double{c.weight_decay};
    const double buffer_error = 4 * kUnitRoundoff * buffer;
    if (output == "momentum_buffer") return {.absolute = buffer_error};
    // Nesterov's direction, at most momentum·B + 1 + decay, adds a product and a sum to the errors of the
    // buffer (times momentum) and of the step (two roundings).
    const bool is_nesterov = c.momentum_kind == MomentumKind::kNesterov;
    const double step = 1 + double{c.weight_decay};
    const double direction = is_nesterov ? double{c.momentum} * buffer + step : buffer;
    const double direction_error =
        is_nesterov ? double{c.momentum} * buffer_error + 2 * kUnitRoundoff * (step + direction)
                    : buffer_error;
    if (output == "non_finite") return {};  // all numbers are finite: it stays as it is
    const double rate = c.learning_rate;
    const double value_error = 2 * kUnitRoundoff * (1 + rate * direction) + rate * direction_error;
    if (output == "values") return {.absolute = value_error};
    const double u = kBf16UnitRoundoff;
    return {.absolute = (1 + u) * value_error, .relative = 2 * u / (1 - u)};
  }

  static double flops(const Case& c) { return 6.0 * c.count; }
};

}  // namespace gnc::tests
