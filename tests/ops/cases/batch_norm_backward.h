#pragma once
/// Cases of BatchNormBackward (engine/ops/batch_norm.h).

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/ops/cases/batch_norm.h"

namespace gnc::tests {

template <>
struct OpCases<BatchNormBackward> {
  using Case = BatchNormCase;
  using Batch = BatchNormBatch;

  static std::span<const Case> cases() {
    constexpr Activation kRelu = Activation::kRelu;
    static const std::vector<Case> table = {
        {.x = {1, 1, 1, 1}},  // a normalised single element has no gradient
        {.x = {7, 1}},
        {.x = {7, 3}, .activation = kRelu},
        {.x = {7, 3}, .activation = kRelu, .aliasing = Aliasing::kInPlace},
        {.x = {2, 3, 5, 7}},
        {.x = {2, 3, 5, 7}, .activation = kRelu, .has_constant_channel = true},
        {.x = {3, 19, 3, 5}, .activation = kRelu, .slice = SliceOf{31, 5}},
        {.x = {2, 24, 4, 4}, .activation = kRelu, .slice = SliceOf{40, 8}},
        {.x = {3, 19, 3, 5},
         .activation = kRelu,
         .slice = SliceOf{31, 5},
         .x_grad_mode = GradientMode::kAccumulate},
        {.x = {2, 24, 4, 4}, .slice = SliceOf{40, 8}, .x_grad_mode = GradientMode::kAccumulate},
        {.x = {7, 3}, .activation = kRelu, .x_grad_mode = GradientMode::kAccumulate},
        {.x = {5, 3}, .activation = kRelu, .addend = Addend::kApart},
        {.x = {3, 19, 3, 5}, .activation = kRelu, .slice = SliceOf{31, 5}, .addend = Addend::kInPlace},
        {.x = {2, 24, 4, 5}, .activation = kRelu, .addend = Addend::kInPlace},
        {.x = {2, 24, 4, 4}, .activation = kRelu, .aliasing = Aliasing::kInPlace, .addend = Addend::kApart},
        {.x = {2, 3, 5, 7},
         .activation = kRelu,
         .x_grad_mode = GradientMode::kAccumulate,
         .addend = Addend::kApart},
        {.x = {3, 16, 12, 11}, .activation = kRelu, .addend = Addend::kApart},
        {.x = {7, 33, 3, 3}, .activation = kRelu, .aliasing = Aliasing::kInPlace},
        {.x = {1031, 7}, .activation = kRelu},
        {.x = {3, 19, 28, 28}, .activation = kRelu},
        {.x = {5, 64, 16, 16}, .activation = kRelu, .mean_ratio = 10, .aliasing = Aliasing::kInPlace}};
    return table;
  }

  static std::span<const Case> benchmarks() { return OpCases<BatchNormForward>::benchmarks(); }
  static std::string name(const Case& c) { return OpCases<BatchNormForward>::name(c); }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    Batch batch(c, draw);
    const Shape channels{c.x[1]};
    HostTensor mean = draw.nothing(channels), invstd = draw.nothing(channels);
    for (int run = 0; run < draw.runs(); ++run) take_statistics(c, draw, run, batch, mean, invstd);
    const ZeroReference zeros = c.count() == 1 ? ZeroReference::kIsExpected : ZeroReference::kIsAFault;
    const HostTensor y_grad = draw.uniform("y_grad", c.x);
    Operands operands{
        .runs = draw.runs(),
        .list = {{.name = "x", .values = batch.x, .storage = c.storage(), .slice = c.slice},
                 {.name = "scale", .values = batch.scale},
                 {.name = "shift", .values = batch.shift},
                 {.name = "mean", .values = mean},
                 {.name = "invstd", .values = invstd},
                 {.name = "scale_grad",
                  .values = draw.nothing(channels),
                  .access = Access::kWrite,
                  .zero_reference = zeros},
                 {.name = "shift_grad", .values = draw.nothing(channels), .access = Access::kWrite}}};
    add_sum(c, draw, y_grad, operands);
    if (c.aliasing == Aliasing::kInPlace) {
      operands.list.push_back({.name = "x_grad",
                               .values = y_grad,
                               .access = Access::kUpdate,
                               .storage = c.storage(),
                               .alias = "y_grad"});
    } else {
      if (c.addend != Addend::kInPlace)
        operands.list.push_back({.name = "y_grad", .values = y_grad, .storage = c.storage()});
      const bool accumulates = c.x_grad_mode == GradientMode::kAccumulate;
      operands.list.push_back({.name = "x_grad",
                               .values = accumulates ? draw.uniform("x_grad", c.x) : draw.nothing(c.x),
                               .access = accumulates ? Access::kUpdate : Access::kWrite,
                               .storage = c.storage(),
                               .slice = c.slice,
                               .zero_reference = zeros});
    }
    return operands;
  }

  static BatchNormBackward bind(const Case& c, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .scale = operands["scale"],
            .shift = operands["shift"],
            .mean = operands["mean"],
            .invstd = operands["invstd"],
            .y = operands["y"],
            .y_grad = operands["y_grad"],
            .x_grad = operands["x_grad"],
            .addend_grad = operands["addend_grad"],
            .scale_grad = operands["scale_grad"],
            .shift_grad = operands["shift_grad"],
            .activation = c.activation,
            .x_grad_mode = c.x_grad_mode};
  }

  /// Gradients g are uniform in [−1, 1), or 0 where masked; x̂ has variance 1 and is independent of them.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double u = kUnitRoundoff, m = c.count();
    // x̂: two roundings of itself, and two of x·invstd and mean·invstd where it is computed from those.
    const double normalized = 2 * u * (Batch::deviation(c) + Batch::conditioning(c));
    const double shift_grad = sum_error(uniform_terms(m)) + u;
    // The errors of x̂ meet gradients of either sign: their sum is 10 deviations of √m of them at most, as in
    // sum_error.
    const Terms products = {.count = m, .bound = std::max(1.0, Batch::deviation(c)), .deviation = 0.57735};
    const double scale_grad = sum_error(products) + std::min(m, 10 * 0.57735 * std::sqrt(m)) * normalized;
    if (output == "shift_grad") return {.absolute = shift_grad};
    if (output == "addend_grad") return {};  // a copy, or 0
    if (output == "scale_grad") return {.absolute = scale_grad};
    // Three terms of at most 1, 1 and |x̂|, four roundings each, the errors of both sums over m, and of x̂.
    const double bracket = 4 * u * (2 + Batch::deviation(c)) + shift_grad / m +
                           Batch::deviation(c) * scale_grad / m + normalized;
    // Where it is added to another gradient, the sum is rounded as well.
    return {.absolute = Batch::kScale * Batch::largest_invstd(c) * bracket,
            .relative = c.x_grad_mode == GradientMode::kAccumulate ? u : 0};
  }

  /// Per element: four operations for the sums, six for x_grad.
  static double flops(const Case& c) { return 10.0 * static_cast<double>(c.x.elements()); }

  /// What the backward pass of a sum reads and writes beside: the mask is that of y, whatever x is.
  static void add_sum(const Case& c, const Draw& draw, const HostTensor& y_grad, Operands& operands) {
    if (c.addend == Addend::kNone) return;
    HostTensor y = draw.uniform("y", c.x);
    for (float& value : y.values<float>()) value = std::max(value, 0.0F);
    operands.list.push_back({.name = "y", .values = y, .storage = c.storage()});
    const bool is_in_place = c.addend == Addend::kInPlace;
    operands.list.push_back({.name = "addend_grad",
                             .values = is_in_place ? y_grad : draw.nothing(c.x),
                             .access = is_in_place ? Access::kUpdate : Access::kWrite,
                             .storage = c.storage(),
                             .alias = is_in_place ? "y_grad" : ""});
  }

  static constexpr double kMargin = 1e-3;  // no activation is nearer to 0

  /// Mean and invstd of the batch as a forward pass would leave them, rounded to fp32. Then moves elements
  /// whose activation is so near 0 that rounding could turn its sign to the channel's mean, where it is the
  /// shift (near it where bf16 rounds the mean): the mask is a step, and no tolerance covers a step.
  static void take_statistics(const Case& c, const Draw& draw, int run, Batch& batch, HostTensor& mean,
                              HostTensor& invstd) {
    const auto channels = static_cast<std::size_t>(c.x[1]),
               elements = static_cast<std::size_t>(c.x.elements());
    const auto first = static_cast<std::size_t>(run);
    const auto x = batch.x.values<float>().subspan(first * elements, elements);
    std::vector<double> sums(channels), squares(channels);
    for (std::size_t i = 0; i < elements; ++i) sums[Batch::channel_of(c, i)] += x[i];
    for (std::size_t i = 0; i < elements; ++i) {
      const double deviation = x[i] - sums[Batch::channel_of(c, i)] / c.count();
      squares[Batch::channel_of(c, i)] += deviation * deviation;
    }
    const auto means = mean.values<float>().subspan(first * channels, channels);
    const auto invstds = invstd.values<float>().subspan(first * channels, channels);
    for (std::size_t k = 0; k < channels; ++k) {
      means[k] = static_cast<float>(sums[k] / c.count());
      invstds[k] = static_cast<float>(1 / std::sqrt(squares[k] / c.count() + double{Batch::kEpsilon}));
    }
    if (c.activation == Activation::kNone) return;
    const auto scale = batch.scale.values<float>().subspan(first * channels, channels);
    const auto shift = batch.shift.values<float>().subspan(first * channels, channels);
    for (std::size_t i = 0; i < elements; ++i) {
      const std::size_t k = Batch::channel_of(c, i);
      const auto activation = [&](float value) {
        return double{scale[k]} * (double{value} - means[k]) * invstds[k] + shift[k];
      };
      if (std::fabs(activation(x[i])) >= kMargin) continue;
      x[i] = c.stored(draw, means[k]);
      require<Error>(std::fabs(activation(x[i])) >= kMargin, "the activation of a channel's mean is {}",
                     activation(x[i]));
    }
  }
};

}  // namespace gnc::tests
