#pragma once
/// Cases of engine/ops/cross_entropy.h.

#include <cmath>
#include <vector>

#include "engine/ops/cross_entropy.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct CrossEntropyCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int batch = 1;                // B
  int classes = 2;              // C
  double logit_scale = 1;       // logits lie in [−logit_scale, logit_scale]
  bool has_ties = false;        // logits take 5 values only
  bool wants_gradient = true;
  bool wants_predictions = true;
  float label_smoothing = 0;
  Aliasing aliasing = Aliasing::kNone;
};

template <>
struct OpCases<CrossEntropy> {
  using Case = CrossEntropyCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {
        {.batch = 1, .classes = 2},
        {.batch = 1, .classes = 1},  // loss, gradient and prediction are 0
        {.batch = 1, .classes = 2, .wants_gradient = false, .wants_predictions = false},
        {.batch = 3, .classes = 7, .aliasing = Aliasing::kInPlace},
        {.batch = 7, .classes = 10, .logit_scale = 5, .has_ties = true},
        {.batch = 7, .classes = 10, .logit_scale = 5, .wants_predictions = false},
        {.batch = 33, .classes = 10, .logit_scale = 20, .wants_gradient = false},
        {.batch = 7, .classes = 100, .logit_scale = 20},
        {.batch = 129, .classes = 33, .logit_scale = 3, .aliasing = Aliasing::kInPlace},
        {.batch = 3, .classes = 1031, .logit_scale = 80},  // exp underflows in fp32 for most classes
        {.batch = 1031, .classes = 10, .logit_scale = 8},
        {.batch = 1, .classes = 2, .label_smoothing = 0.1F},
        {.batch = 7,
         .classes = 10,
         .logit_scale = 5,
         .label_smoothing = 0.1F,
         .aliasing = Aliasing::kInPlace},
        {.batch = 5, .classes = 100, .logit_scale = 20, .wants_gradient = false, .label_smoothing = 0.5F},
        {.batch = 3, .classes = 1031, .logit_scale = 80, .label_smoothing = 0.1F}};
    return table;
  }

  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {{.label = "cifar10", .batch = 256, .classes = 10},
                                            {.label = "cifar100", .batch = 256, .classes = 100},
                                            {.label = "imagenet", .batch = 256, .classes = 1000}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}x{}.scale{}{}{}{}{}{}", c.batch, c.classes, c.logit_scale,
                       c.has_ties ? ".ties" : "", c.wants_gradient ? "" : ".no_gradient",
                       c.wants_predictions ? "" : ".no_predictions",
                       c.label_smoothing > 0 ? fmt::format(".smoothing{}", c.label_smoothing) : "",
                       c.aliasing == Aliasing::kInPlace ? ".in_place" : "");
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Shape logits{c.batch, c.classes};
    const ZeroReference zeros = c.classes == 1 ? ZeroReference::kIsExpected : ZeroReference::kIsAFault;
    const HostTensor values = c.has_ties ? draw.levels("logits", logits, 5, c.logit_scale / 2)
                                         : draw.uniform("logits", logits, -c.logit_scale, c.logit_scale);
    Operands operands{
        .runs = draw.runs(),
        .list = {{.name = "labels", .values = draw.integers("labels", {c.batch}, DType::kI32, c.classes)},
                 {.name = "losses",
                  .values = draw.nothing({c.batch}),
                  .access = Access::kWrite,
                  .zero_reference = zeros}}};
    if (c.aliasing == Aliasing::kInPlace) {
      operands.list.push_back(
          {.name = "logits_grad", .values = values, .access = Access::kUpdate, .alias = "logits"});
    } else {
      operands.list.push_back({.name = "logits", .values = values});
      if (c.wants_gradient)
        operands.list.push_back({.name = "logits_grad",
                                 .values = draw.nothing(logits),
                                 .access = Access::kWrite,
                                 .zero_reference = zeros});
    }
    if (c.wants_predictions)
      operands.list.push_back(
          {.name = "predictions",
           .values = draw.nothing({c.batch}, DType::kI32),
           .access = Access::kWrite,
           .zero_reference = ZeroReference::kIsExpected});  // class 0 may well win everywhere
    return operands;
  }

  static CrossEntropy bind(const Case& c, const PlacedOperands& operands) {
    return {.logits = operands["logits"],
            .labels = operands["labels"],
            .losses = operands["losses"],
            .logits_grad = operands["logits_grad"],
            .predictions = operands["predictions"],
            .label_smoothing = c.label_smoothing};
  }

  /// With d = z − max z in [−2·scale, 0], rounded once: exp(d) is wrong by (|d| + 4)·u of itself (4 for exp),
  /// and as |d|·exp(d) <= 1/e, the sum by (growth(C) + 5)·u of itself. The loss log Σ − d_label adds two
  /// roundings of log C and two of |d_label|; the gradient (p − [label])/B is wrong by three roundings more
  /// than p. Smoothing adds ε/C·Σ|d|, a sum of C terms of at most 2·scale·ε/C with three roundings each, and
  /// a rounding of the target.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double sum = (rounding_growth(c.classes) + 5) * kUnitRoundoff;
    if (output == "predictions") return {};
    if (output == "losses")
      return {.absolute = sum + 2 * kUnitRoundoff * (std::log(c.classes) + 2 * c.logit_scale) +
                          (rounding_growth(c.classes) + 6) * kUnitRoundoff * double{c.label_smoothing} * 2 *
                              c.logit_scale};
    return {.absolute = (sum + (c.label_smoothing > 0 ? 10 : 7) * kUnitRoundoff) / c.batch};
  }

  /// Per logit: subtraction, exp, addition, and for the gradient a product and a subtraction.
  static double flops(const Case& c) { return (c.wants_gradient ? 5.0 : 3.0) * c.batch * c.classes; }
};

}  // namespace gnc::tests
