#pragma once
/// Cases of engine/ops/squared_error.h and engine/ops/focal_loss.h. Those of engine/ops/cross_entropy.h are a
/// table of their own.

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/ops/focal_loss.h"
#include "engine/ops/squared_error.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct ClassificationLossCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int batch = 1;                // B
  int classes = 2;              // C
  double logit_scale = 1;       // logits lie in [−logit_scale, logit_scale]
  float focusing = 2;           // of the focal loss
  bool wants_gradient = true;
  bool wants_predictions = true;
  Aliasing aliasing = Aliasing::kNone;
};

/// What the cases of both ops share.
struct ClassificationLossCases {
  using Case = ClassificationLossCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {
        {.batch = 1, .classes = 2},
        {.batch = 1, .classes = 1},
        {.batch = 1, .classes = 2, .wants_gradient = false, .wants_predictions = false},
        {.batch = 3, .classes = 7, .focusing = 0, .aliasing = Aliasing::kInPlace},
        {.batch = 7, .classes = 10, .logit_scale = 5, .focusing = 0.5F},
        {.batch = 33, .classes = 10, .logit_scale = 20, .focusing = 1, .wants_gradient = false},
        {.batch = 7, .classes = 100, .logit_scale = 20, .wants_predictions = false},
        {.batch = 33, .classes = 33, .logit_scale = 3, .focusing = 5, .aliasing = Aliasing::kInPlace},
        {.batch = 3, .classes = 1031, .logit_scale = 80}};  // exp underflows in fp32 for most classes
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
    return fmt::format("{}x{}.scale{}.focusing{}{}{}{}", c.batch, c.classes, c.logit_scale, c.focusing,
                       c.wants_gradient ? "" : ".no_gradient", c.wants_predictions ? "" : ".no_predictions",
                       c.aliasing == Aliasing::kInPlace ? ".in_place" : "");
  }
  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Shape logits{c.batch, c.classes};
    // Of one class the focal loss and its gradient are 0.
    const ZeroReference zeros = c.classes == 1 ? ZeroReference::kIsExpected : ZeroReference::kIsAFault;
    const HostTensor values = draw.uniform("logits", logits, -c.logit_scale, c.logit_scale);
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
      operands.list.push_back({.name = "predictions",
                               .values = draw.nothing({c.batch}, DType::kI32),
                               .access = Access::kWrite,
                               .zero_reference = ZeroReference::kIsExpected});
    return operands;
  }
  /// The op on the operands that all losses have.
  template <class Op>
  static Op bind_loss(const PlacedOperands& operands) {
    return {.logits = operands["logits"],
            .labels = operands["labels"],
            .losses = operands["losses"],
            .logits_grad = operands["logits_grad"],
            .predictions = operands["predictions"]};
  }
};

template <>
struct OpCases<SquaredError> : ClassificationLossCases {
  static SquaredError bind(const Case&, const PlacedOperands& operands) {
    return bind_loss<SquaredError>(operands);
  }
  /// A residual is rounded once; its square, wrong by 3·u of itself, is a term of a sum of C; the mean is
  /// rounded once more. The gradient is a product of the residual and a quotient.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    if (output == "predictions") return {};
    if (output == "losses") return {.relative = (rounding_growth(c.classes) + 5) * kUnitRoundoff};
    return {.relative = 6 * kUnitRoundoff};
  }
  static double flops(const Case& c) { return (c.wants_gradient ? 4.0 : 3.0) * c.batch * c.classes; }
};

template <>
struct OpCases<FocalLoss> : ClassificationLossCases {
  static FocalLoss bind(const Case& c, const PlacedOperands& operands) {
    FocalLoss op = bind_loss<FocalLoss>(operands);
    op.focusing = c.focusing;
    return op;
  }
  /// As for CrossEntropy a sum of exponentials is wrong by (growth(C) + 5 + |d|)·u of itself at most, where d
  /// <= 2·scale is the largest distance from the maximum among its terms (it matters where all of them are
  /// small: the sum of the others as p → 1). So q = 1 − p is wrong by e = 2·(growth(C) + 6 + 2·scale)·u of
  /// itself, q^γ by γ·e + 5u (pow), and −log p, which is at most D = log C + 2·scale, by e of itself (log1p)
  /// or by e + 2u·D (log of the sum, then a sum). q^γ <= 1 multiplies it. In the gradient, slope + 1 <= 1 +
  /// γ·D, wrong by at most γ·D·(3e + 10u); another factor is the probability or q, at most 1, wrong by e +
  /// 4u.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    if (output == "predictions") return {};
    const double u = kUnitRoundoff, focusing = c.focusing;
    const double e = 2 * (rounding_growth(c.classes) + 6 + 2 * c.logit_scale) * u;
    const double largest_loss = std::log(c.classes) + 2 * c.logit_scale, of_weight = focusing * e + 5 * u;
    if (output == "losses") return {.absolute = of_weight * largest_loss + e + 4 * u * largest_loss};
    const double slope = focusing * largest_loss;
    return {.absolute = ((1 + slope) * (of_weight + e + 8 * u) + slope * (3 * e + 10 * u)) / c.batch};
  }
  static double flops(const Case& c) { return (c.wants_gradient ? 6.0 : 4.0) * c.batch * c.classes; }
};

}  // namespace gnc::tests
