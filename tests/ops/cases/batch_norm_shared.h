#pragma once
/// Cases of engine/ops/batch_norm_shared.h.

#include <algorithm>
#include <vector>

#include "engine/ops/batch_norm_shared.h"
#include "tests/ops/cases/batch_norm.h"
#include "tests/ops/cases/batch_norm_backward.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct BatchNormSharedCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  Shape x;                      // [N,C,H,W] or [N,C]
  Activation activation = Activation::kNone;
  double mean_ratio = 1;              // |mean| of a channel over its standard deviation
  bool has_constant_channel = false;  // channel 0 has one value everywhere: its variance is 0
  std::optional<SliceOf> slice = {};  // of which x and x_grad are channels
  GradientMode deferred_mode = GradientMode::kOverwrite;

  double count() const { return norm().count(); }
  /// The normalisation alone; its gradient is added to x_grad.
  BatchNormCase norm() const {
    return {.x = x,
            .activation = activation,
            .mean_ratio = mean_ratio,
            .has_constant_channel = has_constant_channel,
            .slice = slice,
            .x_grad_mode = GradientMode::kAccumulate};
  }
  static std::string name(const BatchNormSharedCase& c) {
    if (!c.label.empty()) return std::string(c.label);
    BatchNormCase norm = c.norm();
    norm.x_grad_mode = c.deferred_mode;
    return OpCases<BatchNormForward>::name(norm);
  }
  /// The first and the last of DenseNet-BC's (100, 12) first block.
  static std::vector<BatchNormSharedCase> of_a_dense_block() {
    constexpr Activation kRelu = Activation::kRelu;
    return {
        {.label = "densenet_bc.first", .x = {256, 24, 32, 32}, .activation = kRelu, .slice = SliceOf{216, 0}},
        {.label = "densenet_bc.last",
         .x = {256, 204, 32, 32},
         .activation = kRelu,
         .slice = SliceOf{216, 0}}};
  }
};

template <>
struct OpCases<BatchNormStatistics> {
  using Case = BatchNormSharedCase;
  using Batch = BatchNormBatch;

  static bool is_for(const Case& c, const Backend& backend) { return Batch::is_for(c.norm(), backend); }

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {
        {.x = {1, 1, 1, 1}},  // no variance
        {.x = {1, 3}},
        {.x = {7, 1}},
        {.x = {33, 19}},
        {.x = {2, 3, 5, 7}, .has_constant_channel = true},
        {.x = {3, 19, 3, 5}, .slice = SliceOf{31, 5}},
        {.x = {2, 24, 4, 4}, .slice = SliceOf{40, 8}},   // in packs of 16 bytes
        {.x = {2, 12, 4, 4}, .slice = SliceOf{36, 12}},  // in bf16 of 8
        {.x = {7, 72, 3, 3}},                            // more channels than a block has
        {.x = {1031, 7}},
        {.x = {3, 19, 28, 28}},
        {.x = {2, 3, 32, 32}, .mean_ratio = 1000}};  // cancellation would show
    return table;
  }
  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {
        {.label = "densenet_bc.stem", .x = {256, 24, 32, 32}, .slice = SliceOf{216, 0}},
        {.label = "densenet_bc.layer", .x = {256, 12, 32, 32}, .slice = SliceOf{216, 24}}};
    return table;
  }
  static std::string name(const Case& c) { return Case::name(c); }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Batch batch(c.norm(), draw);
    const Shape channels{c.x[1]};
    const ZeroReference zeros = c.count() == 1 ? ZeroReference::kIsExpected : ZeroReference::kIsAFault;
    return {.runs = draw.runs(),
            .list = {{.name = "x", .values = batch.x, .storage = c.norm().storage(), .slice = c.slice},
                     {.name = "mean", .values = draw.nothing(channels), .access = Access::kWrite},
                     {.name = "variance",
                      .values = draw.nothing(channels),
                      .access = Access::kWrite,
                      .zero_reference = zeros},
                     {.name = "invstd", .values = draw.nothing(channels), .access = Access::kWrite}}};
  }

  static BatchNormStatistics bind(const Case&, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .mean = operands["mean"],
            .variance = operands["variance"],
            .invstd = operands["invstd"],
            .epsilon = Batch::kEpsilon};
  }

  /// Mean and invstd as of BatchNormForward. The variance has its relative error and, where it is zero, the
  /// square of the mean's, in the oracle as well.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const BatchNormCase norm = c.norm();
    if (output != "variance") return OpCases<BatchNormForward>::tolerance(norm, output);
    const double mean_error = OpCases<BatchNormForward>::tolerance(norm, "mean").absolute;
    return {.absolute = mean_error * mean_error, .relative = kUnitRoundoff + Batch::variance_error(norm)};
  }

  /// Per element: one addition for the mean, three operations for the variance.
  static double flops(const Case& c) { return 4.0 * static_cast<double>(c.x.elements()); }
};

template <>
struct OpCases<BatchNormSharedBackward> {
  using Case = BatchNormSharedCase;
  using Batch = BatchNormBatch;

  static std::span<const Case> cases() {
    constexpr Activation kRelu = Activation::kRelu;
    constexpr GradientMode kAdds = GradientMode::kAccumulate;
    static const std::vector<Case> table = {
        {.x = {1, 1, 1, 1}, .deferred_mode = kAdds},
        {.x = {7, 1}},
        {.x = {7, 3}, .activation = kRelu, .deferred_mode = kAdds},
        {.x = {2, 3, 5, 7}, .deferred_mode = kAdds},
        {.x = {2, 3, 5, 7}, .activation = kRelu, .has_constant_channel = true},
        {.x = {3, 19, 3, 5}, .activation = kRelu, .slice = SliceOf{31, 5}},
        {.x = {2, 24, 4, 4}, .activation = kRelu, .slice = SliceOf{40, 8}, .deferred_mode = kAdds},
        {.x = {2, 12, 4, 4}, .activation = kRelu, .slice = SliceOf{36, 12}},
        {.x = {7, 72, 3, 3}, .activation = kRelu, .deferred_mode = kAdds},
        {.x = {1031, 7}, .activation = kRelu},
        {.x = {3, 19, 28, 28}, .activation = kRelu, .deferred_mode = kAdds},
        {.x = {5, 64, 16, 16}, .activation = kRelu, .mean_ratio = 10}};
    return table;
  }
  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = Case::of_a_dense_block();
    return table;
  }
  static std::string name(const Case& c) { return Case::name(c); }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    Operands operands = OpCases<BatchNormBackward>::make_inputs(c.norm(), draw);
    const Shape channels{c.x[1]};
    const bool is_added = c.deferred_mode == GradientMode::kAccumulate;
    for (const char* name : {"deferred_mean", "deferred_tilt"})
      operands.list.push_back({.name = name,
                               .values = is_added ? draw.uniform(name, channels) : draw.nothing(channels),
                               .access = is_added ? Access::kUpdate : Access::kWrite});
    return operands;
  }

  static BatchNormSharedBackward bind(const Case& c, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .scale = operands["scale"],
            .shift = operands["shift"],
            .mean = operands["mean"],
            .invstd = operands["invstd"],
            .y_grad = operands["y_grad"],
            .x_grad = operands["x_grad"],
            .scale_grad = operands["scale_grad"],
            .shift_grad = operands["shift_grad"],
            .deferred_mean = operands["deferred_mean"],
            .deferred_tilt = operands["deferred_tilt"],
            .activation = c.activation,
            .deferred_mode = c.deferred_mode};
  }

  /// Both sums as of BatchNormBackward, divided by m; |Σg| ≤ m and |Σg·x̂| ≤ m·max |x̂|. The slope, the product
  /// with it and the division are rounded; so is the sum with what was there.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double u = kUnitRoundoff, m = c.count();
    const BatchNormCase norm = c.norm();
    const double slope = Batch::kScale * Batch::largest_invstd(norm);
    const auto of_sum = [&](std::string_view name) {
      return OpCases<BatchNormBackward>::tolerance(norm, name).absolute / m;
    };
    if (output == "x_grad") return {.absolute = 2 * u * slope, .relative = u};
    if (output == "deferred_mean") return {.absolute = slope * (of_sum("shift_grad") + 4 * u), .relative = u};
    if (output == "deferred_tilt")
      return {.absolute = slope * Batch::largest_invstd(norm) *
                          (of_sum("scale_grad") + 5 * u * Batch::deviation(norm)),
              .relative = u};
    return OpCases<BatchNormBackward>::tolerance(norm, output);
  }

  /// Per element: subtraction, product and addition of the mask, two for each sum, two for x_grad.
  static double flops(const Case& c) { return 8.0 * static_cast<double>(c.x.elements()); }
};

template <>
struct OpCases<BatchNormSharedFinish> {
  using Case = BatchNormSharedCase;
  using Batch = BatchNormBatch;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {{.x = {1, 1, 1, 1}},
                                            {.x = {7, 3}},
                                            {.x = {2, 3, 5, 7}, .mean_ratio = 10},
                                            {.x = {3, 19, 3, 5}, .slice = SliceOf{31, 5}},
                                            {.x = {2, 24, 4, 4}, .slice = SliceOf{40, 8}},
                                            {.x = {2, 12, 4, 4}, .slice = SliceOf{36, 12}},
                                            {.x = {7, 72, 3, 3}},
                                            {.x = {3, 19, 28, 28}}};
    return table;
  }
  static std::span<const Case> benchmarks() { return OpCases<BatchNormStatistics>::benchmarks(); }
  static std::string name(const Case& c) { return Case::name(c); }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Batch batch(c.norm(), draw);
    const Shape channels{c.x[1]};
    const Storage storage = c.norm().storage();
    return {.runs = draw.runs(),
            .list = {{.name = "x", .values = batch.x, .storage = storage, .slice = c.slice},
                     {.name = "mean", .values = draw.uniform("mean", channels)},
                     {.name = "deferred_mean", .values = draw.uniform("deferred_mean", channels)},
                     {.name = "deferred_tilt", .values = draw.uniform("deferred_tilt", channels)},
                     {.name = "x_grad",
                      .values = draw.uniform("x_grad", c.x),
                      .access = Access::kUpdate,
                      .storage = storage,
                      .slice = c.slice}}};
  }

  static BatchNormSharedFinish bind(const Case&, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .mean = operands["mean"],
            .deferred_mean = operands["deferred_mean"],
            .deferred_tilt = operands["deferred_tilt"],
            .x_grad = operands["x_grad"]};
  }

  /// (x − mean)·tilt is at most max |x| + 1 and takes two roundings; the sum with the mean's term one of at
  /// most 1 more; the difference one of itself.
  static Tolerance tolerance(const Case& c, std::string_view) {
    const double u = kUnitRoundoff, product = Batch::magnitude(c.norm()) + 1;
    return {.absolute = u * (3 * product + 1), .relative = u};
  }

  /// Per element: two subtractions, a product, an addition.
  static double flops(const Case& c) { return 4.0 * static_cast<double>(c.x.elements()); }
};

}  // namespace gnc::tests
