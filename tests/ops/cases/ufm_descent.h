#pragma once
/// Cases of engine/ops/ufm_descent.h.

#include <vector>

#include "engine/ops/ufm_descent.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct UfmDescentCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int samples = 1;
  int dim = 1;
  int classes = 2;
  int steps = 1;
  UfmPenalty penalty = UfmPenalty::kSquared;
};

template <>
struct OpCases<UfmDescent> {
  using Case = UfmDescentCase;
  static constexpr bool kTakesFp64 = true;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {{.samples = 3, .dim = 2, .classes = 3}};
    return table;
  }

  static std::span<const Case> benchmarks() { return {}; }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}x{}x{}.steps{}.{}", c.samples, c.dim, c.classes, c.steps, to_string(c.penalty));
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    return {
        .runs = draw.runs(),
        .list = {{.name = "features",
                  .values = draw.uniform("features", {c.samples, c.dim}),
                  .access = Access::kUpdate},
                 {.name = "classifier",
                  .values = draw.uniform("classifier", {c.classes, c.dim}),
                  .access = Access::kUpdate},
                 {.name = "labels", .values = draw.integers("labels", {c.samples}, DType::kI32, c.classes)},
                 {.name = "losses", .values = draw.nothing({c.samples}), .access = Access::kWrite}}};
  }

  static UfmDescent bind(const Case& c, const PlacedOperands& operands) {
    return {.features = operands["features"],
            .classifier = operands["classifier"],
            .labels = operands["labels"],
            .losses = operands["losses"],
            .steps = c.steps,
            .feature_lr = 0.1,
            .classifier_lr = 0.1,
            .penalty = c.penalty,
            .feature_decay = 0.1,
            .classifier_decay = 0.1};
  }

  static Tolerance tolerance(const Case&, std::string_view) { return {.absolute = 1e-6}; }

  static double flops(const Case& c) { return 6.0 * c.steps * c.samples * c.dim * c.classes; }
};

}  // namespace gnc::tests
