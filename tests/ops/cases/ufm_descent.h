#pragma once
/// Cases of engine/ops/ufm_descent.h.

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/ops/ufm_descent.h"
#include "engine/precision.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct UfmDescentCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int samples = 1;              // N
  int dim = 1;                  // d
  int classes = 2;              // C
  int steps = 1;
  UfmPenalty penalty = UfmPenalty::kSquared;
  double scale = 1;     // s of the cross-entropies
  double rate = 0.1;    // α·s, and β·s·N
  int named = 1 << 30;  // only classes below it are anybody's label: the others are minorities of nobody
  // A backend composes it of products, whose factors it rounds to TF32 or bf16 in those precisions; so they
  // have their own cases.
  bool is_composed = false;
  Precision precision = Precision::kFp32;  // of a composed case
  bool is_code1 = false;                   // of benchmarks: with the rates of Code 1
  bool is_fp64 = false;                    // of benchmarks
  int runs = 1;                            // of benchmarks

  bool is_rounded() const { return precision != Precision::kFp32; }
  /// Largest relative error of a factor: rounded to the 11 significant bits of TF32, or cut off there;
  /// rounded to the 8 of bf16.
  double factor_error() const {
    return precision == Precision::kTf32 ? 0x1p-10 : precision == Precision::kBf16 ? kBf16UnitRoundoff : 0;
  }
};

template <>
struct OpCases<UfmDescent> {
  using Case = UfmDescentCase;
  static constexpr bool kTakesFp64 = true;
  // Rows have norms from kSmallest to kLargest, which is also the ρ of kSphere.
  static constexpr double kSmallest = 0.25, kLargest = 0.75;
  static constexpr double kDecay = 0.1;  // of all iterates, in units of the rate

  static std::span<const Case> cases() {
    using enum UfmPenalty;
    static const std::vector<Case> table = {
        {.samples = 1, .dim = 1, .classes = 1},  // its losses are 0
        {.samples = 1, .dim = 1, .classes = 2},
        {.samples = 3, .dim = 2, .classes = 3, .penalty = kNorm},
        {.samples = 5, .dim = 3, .classes = 4, .steps = 2, .penalty = kSphere, .scale = 0.2},
        {.samples = 10, .dim = 6, .classes = 10, .steps = 20, .penalty = kNorm, .scale = 0.1, .rate = 0.02},
        {.samples = 80, .dim = 2, .classes = 4, .steps = 20, .rate = 0.02},  // figure 2
        {.samples = 33, .dim = 7, .classes = 17, .steps = 3, .penalty = kSphere, .named = 5},
        {.samples = 7, .dim = 33, .classes = 31, .steps = 2, .penalty = kNorm},
        {.samples = 100, .dim = 16, .classes = 33, .steps = 2, .scale = 0.01},
        {.samples = 700, .dim = 3, .classes = 5, .steps = 2, .penalty = kNorm, .named = 2},
        {.samples = 7, .dim = 70, .classes = 301, .steps = 2, .is_composed = true},
        {.samples = 65,
         .dim = 33,
         .classes = 65,
         .steps = 2,
         .penalty = kNorm,
         .is_composed = true,
         .precision = Precision::kTf32},
        {.samples = 1100, .dim = 13, .classes = 33, .penalty = kNorm, .is_composed = true},
        // Extents that are padded, and ones that are not.
        {.samples = 7, .dim = 70, .classes = 301, .is_composed = true, .precision = Precision::kBf16},
        {.samples = 65,
         .dim = 33,
         .classes = 65,
         .steps = 3,
         .penalty = kNorm,
         .is_composed = true,
         .precision = Precision::kBf16},
        {.samples = 67,
         .dim = 40,
         .classes = 64,
         .steps = 2,
         .penalty = kSphere,
         .scale = 0.2,
         .named = 9,
         .is_composed = true,
         .precision = Precision::kBf16}};
    return table;
  }

  /// Code 1 of the paper: a sample a class, mean cross-entropy.
  static Case code1(std::string_view label, int classes, int dim, int steps, bool is_fp64 = false) {
    return {.label = label,
            .samples = classes,
            .dim = dim,
            .classes = classes,
            .steps = steps,
            .penalty = UfmPenalty::kNorm,
            .scale = 1.0 / classes,
            .is_code1 = true,
            .is_fp64 = is_fp64};
  }

  static Case many_problems(Case c) {
    c.runs = 1000;
    return c;
  }

  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {
        code1("code1.10x6.1000steps", 10, 6, 1000),
        code1("code1.10x6.1000steps.fp64", 10, 6, 1000, true),
        many_problems(code1("code1.10x6.100steps.1000runs", 10, 6, 100)),
        code1("code1.100x64.100steps", 100, 64, 100),
        code1("code1.100x64.100steps.fp64", 100, 64, 100, true),
        {.label = "figure2.1000steps", .samples = 80, .dim = 2, .classes = 4, .steps = 1000, .rate = 0.02},
        {.label = "equation3.100x64.n1000", .samples = 100'000, .dim = 64, .classes = 100},
        {.label = "equation3.100x64.n1000.fp64",
         .samples = 100'000,
         .dim = 64,
         .classes = 100,
         .is_fp64 = true}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}x{}x{}.steps{}.{}{}", c.samples, c.dim, c.classes, c.steps, to_string(c.penalty),
                       c.is_rounded() ? fmt::format(".{}", to_string(c.precision)) : "");
  }

  static bool benchmarked_in_fp64(const Case& c) { return c.is_fp64; }
  static int benchmarked_runs(const Case& c) { return c.runs; }

  static bool is_for(const Case& c, const Backend& backend) {
    return !c.is_composed || c.precision == backend.precision();
  }

  /// Elements of magnitude kSmallest/√d to kLargest/√d, so that no norm is near 0.
  static HostTensor iterate(const Draw& draw, std::string_view name, const Shape& shape) {
    HostTensor values = draw.uniform(name, shape);
    const double unit = 1 / std::sqrt(static_cast<double>(shape[1]));
    for (float& value : values.values<float>()) {
      const double magnitude = kSmallest + (kLargest - kSmallest) * std::abs(double{value});
      value = static_cast<float>(std::copysign(magnitude * unit, double{value}));
    }
    return values;
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const int named = std::min(c.named, c.classes);
    return {
        .runs = draw.runs(),
        .list = {{.name = "features",
                  .values = iterate(draw, "features", {c.samples, c.dim}),
                  .access = Access::kUpdate,
                  .is_multiplied = c.is_rounded()},
                 {.name = "classifier",
                  .values = iterate(draw, "classifier", {c.classes, c.dim}),
                  .access = Access::kUpdate,
                  .is_multiplied = c.is_rounded()},
                 {.name = "labels", .values = draw.integers("labels", {c.samples}, DType::kI32, named)},
                 {.name = "losses",
                  .values = draw.nothing({c.samples}),
                  .access = Access::kWrite,
                  .zero_reference = c.classes == 1 ? ZeroReference::kIsExpected : ZeroReference::kIsAFault}}};
  }

  static UfmDescent bind(const Case& c, const PlacedOperands& operands) {
    // Decay by kDecay·rate a step; of kNorm at the smallest norm there is.
    const auto decay = [&](double per_row, int rows) {
      return kDecay * c.scale * per_row *
             (c.penalty == UfmPenalty::kNorm ? kSmallest * std::sqrt(static_cast<double>(rows)) : 1);
    };
    return {.features = operands["features"],
            .classifier = operands["classifier"],
            .labels = operands["labels"],
            .losses = operands["losses"],
            .steps = c.steps,
            .cross_entropy_scale = c.scale,
            .feature_lr = c.is_code1 ? 0.1 : c.rate / c.scale,
            .classifier_lr = c.is_code1 ? 0.1 : c.rate / (c.scale * c.samples),
            .penalty = c.penalty,
            .feature_decay = c.is_code1 ? 0.1 : decay(1, c.samples),
            .classifier_decay = c.is_code1 ? 0.1 : decay(c.samples, c.classes),
            .norm = kLargest};
  }

  /// Follows the largest error e of a row z_i or M_y (Euclidean norm) from step to step; u the unit roundoff,
  /// g(n) the growth of a sum of n terms, f the error of a factor, R a bound of the rows' norms:
  /// - a logit, |logit| <= R², is wrong by 2·R·e and by (g(d)·u + 2·f)·R² of its own sum;
  /// - softmax changes by at most twice that in all classes together, and has (g(C) + 12)·u of its own;
  /// - ∂L/∂z_i /s = Σ_y gradient_y·M_y with Σ|gradient_y| <= 2 is wrong by the error of the gradients times
  /// R,
  ///   by 2·e, and by ((g(C) + 8)·u + 2·f)·2·R; ∂L/∂M_y /(s·N), with Σ_i|gradient_iy| <= 2·N, by the same
  ///   with N instead of C;
  /// - the penalty moves by kDecay·e, that of kNorm by at most four times as much (the rows' norms are within
  ///   a factor of 3, and another for their shrinking is in the four);
  /// - a step is wrong by rate times all this, and by 5·u·R; it lengthens a row by rate·(2 + kDecay)·R.
  /// Projection multiplies errors by ρ over the norm before it, at least the old one less the step's length.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    constexpr double u = kUnitRoundoff;
    const double f = c.factor_error(), largest_sum = std::max(c.classes, c.samples);
    double e = 0, radius = kLargest, smallest = kSmallest, loss = 0;
    for (int step = 0; step < c.steps; ++step) {
      const double logit_error =
          2 * radius * e + (rounding_growth(c.dim) * u + 2 * f) * radius * radius + u * radius * radius;
      const double softmax_error = (rounding_growth(c.classes) + 12) * u;
      loss = 2 * logit_error + softmax_error + 2 * u * (std::log(c.classes) + 2 * radius * radius);
      const double gradient_error = (2 * logit_error + softmax_error) * radius + 2 * e +
                                    ((rounding_growth(largest_sum) + 8) * u + 2 * f) * 2 * radius;
      e += c.rate * (gradient_error + 4 * kDecay * e) + 5 * u * radius;
      const double length = c.rate * (2 + kDecay) * radius;
      radius += length;
      if (c.penalty != UfmPenalty::kSphere) continue;
      e = e * kLargest / (smallest - length) + (rounding_growth(c.dim) + 4) * u * kLargest;
      radius = smallest = kLargest;
    }
    return {.absolute = output == "losses" ? loss : e};
  }

  /// Three products a step, and about 20 for a softmax's exponential.
  static double flops(const Case& c) { return c.steps * (6.0 * c.dim + 20) * c.samples * c.classes; }
};

}  // namespace gnc::tests
