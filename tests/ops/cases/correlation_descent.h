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
  double last_sharpness = 64;
  int runs = 1;  // of benchmarks
};

template <>
struct OpCases<CorrelationDescent> {
  using Case = CorrelationDescentCase;
  static constexpr bool kTakesFp64 = true;

  /// Sizes at which every start ends in the same optimum (simplices, polygons, orthonormal and equiangular
  /// lines): methods that differ end at different rotations of it, but at the same value.
  static std::span<const Case> cases() {
    using enum FrameObjective;
    static const std::vector<Case> table = {
        {.classes = 2, .dim = 1}, {.classes = 2, .dim = 3, .objective = kAbsolute},
        {.classes = 3, .dim = 2}, {.classes = 3, .dim = 2, .objective = kAbsolute},
        {.classes = 5, .dim = 2}, {.classes = 6, .dim = 5, .last_sharpness = 256},
        {.classes = 4, .dim = 9},
    };
    return table;
  }

  static std::span<const Case> benchmarks() {
    using enum FrameObjective;
    static const std::vector<Case> table = {
        {.label = "24x8.256runs", .classes = 24, .dim = 8, .last_sharpness = 4096, .runs = 256},
        {.label = "40x5.absolute.256runs",
         .classes = 40,
         .dim = 5,
         .objective = kAbsolute,
         .last_sharpness = 4096,
         .runs = 256}};
    return table;
  }

  static int benchmarked_runs(const Case& c) { return c.runs; }

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
            .objective = c.objective,
            .last_sharpness = c.last_sharpness,
            .iterations_per_stage = 200};
  }

  /// Of values: at the minimum of F all shares of active pairs are equal to what rounding of the products
  /// leaves, d·2⁻²⁴ each in fp32, and so are the products; the descent stops at a gradient of 1e-5, which
  /// moves products by less than C·1e-5/β: the curvature of F across the active pairs is about β/C.
  /// Vectors: any rotation will do, and the op's own tests look at them; entries of unit vectors differ by 2
  /// at most.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    if (output == "vectors") return {.absolute = 2.0 + 1e-6};
    return {.absolute = 4 * c.dim * 0x1p-24 + c.classes * 1e-5 / c.last_sharpness};
  }

  /// Of the products and their gradients in 1000 evaluations: what a descent takes, about.
  static double flops(const Case& c) { return 1000.0 * 4.0 * c.dim * c.classes * c.classes; }
};

}  // namespace gnc::tests
