#pragma once
/// Cases of engine/ops/normalize_rows.h.

#include <vector>

#include "engine/ops/normalize_rows.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct NormalizeRowsCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int rows = 1;
  int dim = 2;
  float norm = 1;
  Aliasing aliasing = Aliasing::kNone;
};

/// What the cases of both ops share. Entries of x lie in [1/4, 1), so a row's norm is at least √dim/4.
struct NormalizeRowsCases {
  using Case = NormalizeRowsCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {
        {.rows = 1, .dim = 2},
        {.rows = 1, .dim = 1},
        {.rows = 3, .dim = 7, .norm = 10, .aliasing = Aliasing::kInPlace},
        {.rows = 7, .dim = 64, .norm = 0.1F},
        {.rows = 33, .dim = 33},
        {.rows = 5, .dim = 1031, .norm = 3, .aliasing = Aliasing::kInPlace}};
    return table;
  }
  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {{.label = "cifar100", .rows = 256, .dim = 64},
                                            {.label = "resnet18", .rows = 256, .dim = 512}};
    return table;
  }
  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}x{}.norm{}{}", c.rows, c.dim, c.norm,
                       c.aliasing == Aliasing::kInPlace ? ".in_place" : "");
  }
};

template <>
struct OpCases<NormalizeRowsForward> : NormalizeRowsCases {
  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Shape shape{c.rows, c.dim};
    const HostTensor x = draw.uniform("x", shape, 0.25, 1);
    if (c.aliasing == Aliasing::kInPlace)
      return {.runs = draw.runs(),
              .list = {{.name = "y", .values = x, .access = Access::kUpdate, .alias = "x"}}};
    return {.runs = draw.runs(),
            .list = {{.name = "x", .values = x},
                     {.name = "y", .values = draw.nothing(shape), .access = Access::kWrite}}};
  }
  static NormalizeRowsForward bind(const Case& c, const PlacedOperands& operands) {
    return {.x = operands["x"], .y = operands["y"], .norm = c.norm};
  }
  /// The sum of squares is wrong by (growth(D) + 1)·u of itself, its root by half of that; root, quotient and
  /// product are rounded, the root and the quotient by two units where they are approximations.
  static Tolerance tolerance(const Case& c, std::string_view) {
    return {.relative = ((rounding_growth(c.dim) + 1) / 2 + 5) * kUnitRoundoff};
  }
  static double flops(const Case& c) { return 3.0 * c.rows * c.dim; }
};

template <>
struct OpCases<NormalizeRowsBackward> : NormalizeRowsCases {
  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Shape shape{c.rows, c.dim};
    // In one dimension there is no tangent: the gradient is 0 but for rounding.
    const ZeroReference zeros = c.dim == 1 ? ZeroReference::kIsExpected : ZeroReference::kIsAFault;
    const HostTensor y_grad = draw.uniform("y_grad", shape);
    Operands operands{.runs = draw.runs(),
                      .list = {{.name = "x", .values = draw.uniform("x", shape, 0.25, 1)}}};
    if (c.aliasing == Aliasing::kInPlace) {
      operands.list.push_back(
          {.name = "x_grad", .values = y_grad, .access = Access::kUpdate, .alias = "y_grad"});
    } else {
      operands.list.push_back({.name = "y_grad", .values = y_grad});
      operands.list.push_back({.name = "x_grad",
                               .values = draw.nothing(shape),
                               .access = Access::kWrite,
                               .zero_reference = zeros});
    }
    return operands;
  }
  static NormalizeRowsBackward bind(const Case& c, const PlacedOperands& operands) {
    return {.x = operands["x"], .y_grad = operands["y_grad"], .x_grad = operands["x_grad"], .norm = c.norm};
  }
  /// ⟨x,g⟩ is a sum of D terms of at most 1 in all Σ|x g| <= ‖x‖·‖g‖, wrong by (growth(D) + 1)·u of that; so
  /// is ‖x‖² of itself. Their quotient times x_i <= ‖x‖ is then wrong by (2·growth(D) + 2 + 5)·u·‖g‖, the
  /// difference from g_i <= 1 by one rounding more, and the scale norm/‖x‖ <= 4·norm/√D by as much as the
  /// forward op's; ‖g‖ <= √D bounds g_i and the rest.
  static Tolerance tolerance(const Case& c, std::string_view) {
    const double growth = rounding_growth(c.dim);
    return {.absolute = 4 * c.norm * (2 * growth + 8 + (growth + 1) / 2 + 5) * kUnitRoundoff};
  }
  static double flops(const Case& c) { return 6.0 * c.rows * c.dim; }
};

}  // namespace gnc::tests
