#pragma once
/// Cases of engine/ops/correlation_descent.h.

#include <vector>

#include "engine/ops/correlation_descent.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct CorrelationDescentCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int classes = 2;
  int dim = 1;
  FrameObjective objective = FrameObjective::kSigned;
};

template <>
struct OpCases<CorrelationDescent> {
  using Case = CorrelationDescentCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {{.classes = 3, .dim = 2}};
    return table;
  }

  static std::span<const Case> benchmarks() { return {}; }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}x{}.{}", c.classes, c.dim, to_string(c.objective));
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    return {.runs = draw.runs(),
            .list = {{.name = "vectors",
                      .values = draw.uniform("vectors", {c.classes, c.dim}),
                      .access = Access::kUpdate},
                     {.name = "first_sharpness", .values = draw.uniform("first_sharpness", {1}, 4, 64)},
                     {.name = "values", .values = draw.nothing({1}), .access = Access::kWrite}}};
  }

  static CorrelationDescent bind(const Case& c, const PlacedOperands& operands) {
    return {.vectors = operands["vectors"],
            .first_sharpness = operands["first_sharpness"],
            .values = operands["values"],
            .objective = c.objective};
  }

  static Tolerance tolerance(const Case&, std::string_view) { return {.absolute = 1e-6}; }

  static double flops(const Case& c) { return 4.0 * c.dim * c.classes * c.classes; }
};

}  // namespace gnc::tests
