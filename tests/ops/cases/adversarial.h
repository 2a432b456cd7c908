#pragma once
/// Cases of engine/ops/adversarial.h.

#include <vector>

#include "engine/ops/adversarial.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct LogOddsCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int batch = 1;
  int classes = 2;
  double logit_scale = 1;  // logits lie in [−logit_scale, logit_scale]
  bool wants_gradient = true;
  Aliasing aliasing = Aliasing::kNone;
};

template <>
struct OpCases<LogOddsGradient> {
  using Case = LogOddsCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {
        {.batch = 1, .classes = 2},
        {.batch = 1, .classes = 3, .wants_gradient = false},
        {.batch = 7, .classes = 10, .logit_scale = 20, .aliasing = Aliasing::kInPlace},
        {.batch = 33, .classes = 100, .logit_scale = 5},
        {.batch = 3, .classes = 1031, .logit_scale = 80}};  // exp underflows in fp32 for most classes
    return table;
  }
  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {{.label = "cifar10", .batch = 256, .classes = 10},
                                            {.label = "cifar100", .batch = 256, .classes = 100}};
    return table;
  }
  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}x{}.scale{}{}{}", c.batch, c.classes, c.logit_scale,
                       c.wants_gradient ? "" : ".no_gradient",
                       c.aliasing == Aliasing::kInPlace ? ".in_place" : "");
  }
  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Shape logits{c.batch, c.classes};
    const HostTensor values = draw.uniform("logits", logits, -c.logit_scale, c.logit_scale);
    Operands operands{
        .runs = draw.runs(),
        .list = {{.name = "labels", .values = draw.integers("labels", {c.batch}, DType::kI32, c.classes)},
                 {.name = "margins",
                  .values = draw.uniform("margins", {c.batch}, -c.logit_scale, c.logit_scale),
                  .access = Access::kUpdate}}};
    if (c.aliasing == Aliasing::kInPlace) {
      operands.list.push_back(
          {.name = "logits_grad", .values = values, .access = Access::kUpdate, .alias = "logits"});
    } else {
      operands.list.push_back({.name = "logits", .values = values});
      if (c.wants_gradient)
        operands.list.push_back(
            {.name = "logits_grad", .values = draw.nothing(logits), .access = Access::kWrite});
    }
    return operands;
  }
  static LogOddsGradient bind(const Case&, const PlacedOperands& operands) {
    return {.logits = operands["logits"],
            .labels = operands["labels"],
            .margins = operands["margins"],
            .logits_grad = operands["logits_grad"]};
  }
  /// A margin is one difference. e^d with d = logit − largest, |d| <= 2·scale, rounded once, is wrong by
  /// (|d| + 3)·u of itself, a sum of C of them by growth(C)·u more, and the quotient, at most 1, by one more.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    if (output == "margins") return {.relative = kUnitRoundoff};
    return {.absolute = (2 * (2 * c.logit_scale + 3) + rounding_growth(c.classes) + 1) * kUnitRoundoff};
  }
  static double flops(const Case& c) { return 5.0 * c.batch * c.classes; }
};

struct PictureCase {
  std::string_view label = {};
  Shape x;  // [B,C,H,W]
  int classes = 3;
  float radius = 0.1F;
  StepDirection kind = StepDirection::kSign;
  Candidate candidate = Candidate::kFirst;
};

/// What the steps on pictures share.
struct PictureCases {
  using Case = PictureCase;

  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {{.label = "cifar10", .x = {256, 3, 32, 32}, .classes = 10}};
    return table;
  }
  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}.radius{}{}{}{}", c.x.to_string(), c.radius,
                       c.kind == StepDirection::kAsItIs ? ".as_it_is" : "",
                       c.candidate == Candidate::kNext ? ".next" : "",
                       c.classes == 3 ? "" : fmt::format(".of{}", c.classes));
  }
  static double elements(const Case& c) { return static_cast<double>(c.x.elements()) / c.x[0]; }

  static constexpr double kScale = 4;   // at most
  static constexpr double kOffset = 3;  // |offset| at most

  /// The normalisation lies as the data set keeps it (engine/batch.h).
  static void add_normalization(const Case& c, const Draw& draw, Operands& operands) {
    const Shape image = c.x.with_batch(1);
    operands.list.push_back({.name = "scale",
                             .values = draw.shared().uniform("scale", image, 0.5, kScale),
                             .layout = Layout::kNHWC});
    operands.list.push_back({.name = "offset",
                             .values = draw.shared().uniform("offset", image, -kOffset, kOffset),
                             .layout = Layout::kNHWC});
  }
  /// Beside images in bf16, pictures are fp32.
  static CaseOperand picture(std::string_view name, HostTensor values, Access access = Access::kRead) {
    return {.name = name,
            .values = std::move(values),
            .access = access,
            .storage = Storage::kImage,
            .real = DType::kF32};
  }
};

template <>
struct OpCases<ProjectedStep> : PictureCases {
  static constexpr float kSize = 0.05F;

  static std::span<const Case> cases() {
    constexpr StepDirection kAsItIs = StepDirection::kAsItIs;
    static const std::vector<Case> table = {{.x = {1, 1, 1, 1}},
                                            {.x = {2, 1, 1, 7}, .kind = kAsItIs},
                                            {.x = {5, 3, 5, 7}, .radius = 0.5F},  // the box is met as well
                                            {.x = {3, 19, 3, 5}, .radius = 0.5F, .kind = kAsItIs},
                                            {.x = {7, 1, 28, 28}},
                                            {.x = {19, 3, 32, 32}, .radius = 0.03F}};
    return table;
  }
  static Operands make_inputs(const Case& c, const Draw& draw) {
    Operands operands{.runs = draw.runs(),
                      .list = {picture("clean", draw.uniform("clean", c.x, 0, 1)),
                               {.name = "direction",
                                .values = draw.levels("direction", c.x, 5, 0.5),
                                .storage = Storage::kImage},
                               picture("pictures", draw.uniform("pictures", c.x, 0, 1), Access::kUpdate),
                               {.name = "x",
                                .values = draw.nothing(c.x),
                                .access = Access::kWrite,
                                .storage = Storage::kImage}}};
    add_normalization(c, draw, operands);
    return operands;
  }
  static ProjectedStep bind(const Case& c, const PlacedOperands& operands) {
    return {.clean = operands["clean"],
            .direction = operands["direction"],
            .scale = operands["scale"],
            .offset = operands["offset"],
            .pictures = operands["pictures"],
            .x = operands["x"],
            .size = kSize,
            .radius = c.radius,
            .kind = c.kind};
  }
  /// A picture, at most 1.1, is a product and a sum or, on the ball, one sum: three roundings. x is its
  /// product with a scale of at most 4, and a sum of at most 7.4: two more.
  static Tolerance tolerance(const Case&, std::string_view output) {
    const double picture_error = 3 * 1.1 * kUnitRoundoff;
    if (output == "pictures") return {.absolute = picture_error};
    return {.absolute = kScale * picture_error + (kScale * 1.1 + kScale * 1.1 + kOffset) * kUnitRoundoff};
  }
  static double flops(const Case& c) { return 9.0 * static_cast<double>(c.x.elements()); }
};

/// Nothing cancels in these cases: logits, differences and gradients are positive, so that all errors are
/// relative. Signs: tests/ops/test_adversarial.cpp.
template <>
struct OpCases<NearestBoundary> : PictureCases {
  static std::span<const Case> cases() {
    constexpr Candidate kNext = Candidate::kNext;
    static const std::vector<Case> table = {{.x = {1, 1, 1, 1}, .classes = 2},
                                            {.x = {7, 1, 1, 7}, .candidate = kNext},
                                            {.x = {5, 3, 5, 7}},
                                            {.x = {9, 19, 3, 5}, .classes = 100, .candidate = kNext},
                                            {.x = {7, 1, 28, 28}, .classes = 10, .candidate = kNext},
                                            {.x = {3, 3, 32, 32}, .classes = 300}};
    return table;
  }
  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Shape logits{c.x[0], c.classes};
    // About one in two of the distances drawn is larger than that of the candidate: f is about 1.25·K, ‖w‖
    // about 1.7·√elements.
    const double typical = 1.25 * c.classes / (1.7 * std::sqrt(elements(c)));
    Operands operands{.runs = draw.runs(),
                      .list = {{.name = "logits", .values = draw.uniform("logits", logits, 1, 3)},
                               {.name = "difference", .values = draw.uniform("difference", logits, 0.25, 1)},
                               {.name = "gradient",
                                .values = draw.uniform("gradient", c.x, 0.25, 1),
                                .storage = Storage::kImage},
                               {.name = "distances",
                                .values = draw.uniform("distances", {c.x[0]}, 0, 2 * typical),
                                .access = Access::kUpdate},
                               picture("steps", draw.uniform("steps", c.x), Access::kUpdate)}};
    add_normalization(c, draw, operands);
    operands.list.pop_back();  // no offset
    return operands;
  }
  static NearestBoundary bind(const Case& c, const PlacedOperands& operands) {
    return {.logits = operands["logits"],
            .difference = operands["difference"],
            .gradient = operands["gradient"],
            .scale = operands["scale"],
            .distances = operands["distances"],
            .steps = operands["steps"],
            .candidate = c.candidate};
  }
  /// A sum of K products, the root of a sum of squares of products, their quotient; the step has the sum
  /// instead of its root, and three more products.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double value = rounding_growth(c.classes) + 1, square = rounding_growth(elements(c)) + 3;
    if (output == "distances") return {.relative = (value + square / 2 + 3) * kUnitRoundoff};
    return {.relative = (value + square + 4) * kUnitRoundoff};
  }
  static double flops(const Case& c) { return 5.0 * static_cast<double>(c.x.elements()); }
};

template <>
struct OpCases<BoundaryStep> : PictureCases {
  static constexpr double kStep = 0.1;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {{.x = {1, 1, 1, 1}},   {.x = {7, 1, 1, 7}},
                                            {.x = {5, 3, 5, 7}},   {.x = {9, 19, 3, 5}},
                                            {.x = {7, 1, 28, 28}}, {.x = {3, 3, 32, 32}}};
    return table;
  }
  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Shape batch{c.x[0]};
    Operands operands{
        .runs = draw.runs(),
        .list = {picture("clean", draw.uniform("clean", c.x, 0, 1)),
                 picture("steps", draw.uniform("steps", c.x, -kStep, kStep)),
                 {.name = "predictions", .values = draw.integers("predictions", batch, DType::kI32, 2)},
                 {.name = "classes", .values = draw.integers("classes", batch, DType::kI32, 2)},
                 picture("perturbation", draw.uniform("perturbation", c.x, -kStep, kStep), Access::kUpdate),
                 {.name = "norms", .values = draw.nothing(batch), .access = Access::kWrite},
                 {.name = "x",
                  .values = draw.nothing(c.x),
                  .access = Access::kWrite,
                  .storage = Storage::kImage}}};
    add_normalization(c, draw, operands);
    return operands;
  }
  static BoundaryStep bind(const Case&, const PlacedOperands& operands) {
    return {.clean = operands["clean"],
            .steps = operands["steps"],
            .scale = operands["scale"],
            .offset = operands["offset"],
            .predictions = operands["predictions"],
            .classes = operands["classes"],
            .perturbation = operands["perturbation"],
            .norms = operands["norms"],
            .x = operands["x"],
            .overshoot = 0.02F};
  }
  /// A perturbation of at most 0.2 is one sum; a norm the root of a sum of squares of what is one sum. The
  /// moved picture, at most 1.3 in all its terms, takes four roundings, x one of a product with a scale of at
  /// most 4 and one of the sum.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double u = kUnitRoundoff;
    if (output == "perturbation") return {.absolute = 2 * kStep * u};
    if (output == "norms") return {.relative = (rounding_growth(elements(c)) / 2 + 4) * u};
    return {.absolute = (4 * 1.3 * kScale + 2 * 1.3 * kScale + kOffset) * u};
  }
  static double flops(const Case& c) { return 7.0 * static_cast<double>(c.x.elements()); }
};

}  // namespace gnc::tests
