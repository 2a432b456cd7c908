#pragma once
/// Cases of BatchNormInferenceBackward (engine/ops/batch_norm.h).

#include <cmath>
#include <vector>

#include "tests/ops/cases/batch_norm.h"

namespace gnc::tests {

template <>
struct OpCases<BatchNormInferenceBackward> {
  using Case = BatchNormCase;
  using Batch = BatchNormBatch;

  static std::span<const Case> cases() {
    constexpr Activation kRelu = Activation::kRelu;
    constexpr GradientMode kAccumulate = GradientMode::kAccumulate;
    static const std::vector<Case> table = {
        {.x = {1, 1, 1, 1}},
        {.x = {7, 1}},
        {.x = {7, 3}, .activation = kRelu, .aliasing = Aliasing::kInPlace},
        {.x = {7, 3}, .activation = kRelu, .x_grad_mode = kAccumulate},
        {.x = {2, 3, 5, 7}, .activation = kRelu},
        {.x = {3, 19, 3, 5}, .activation = kRelu, .slice = SliceOf{31, 5}},
        {.x = {2, 24, 4, 4}, .activation = kRelu, .slice = SliceOf{40, 8}},
        {.x = {3, 19, 3, 5}, .activation = kRelu, .slice = SliceOf{31, 5}, .x_grad_mode = kAccumulate},
        {.x = {2, 24, 4, 4}, .slice = SliceOf{40, 8}, .x_grad_mode = kAccumulate},
        {.x = {7, 33, 3, 3}, .activation = kRelu, .aliasing = Aliasing::kInPlace},
        {.x = {3, 19, 28, 28}, .activation = kRelu, .mean_ratio = 10}};
    return table;
  }

  static std::span<const Case> benchmarks() { return OpCases<BatchNormForward>::benchmarks(); }
  static std::string name(const Case& c) { return OpCases<BatchNormForward>::name(c); }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    Batch batch(c, draw);
    const Shape channels{c.x[1]};
    const HostTensor mean = draw.uniform("running_mean", channels);
    const HostTensor variance = draw.uniform("running_variance", channels, 0.25, 4);
    if (c.activation == Activation::kRelu) keep_off_the_step(c, draw, batch, mean, variance);
    const HostTensor y_grad = draw.uniform("y_grad", c.x);
    Operands operands{.runs = draw.runs(),
                      .list = {{.name = "x", .values = batch.x, .storage = c.storage(), .slice = c.slice},
                               {.name = "scale", .values = batch.scale},
                               {.name = "shift", .values = batch.shift},
                               {.name = "running_mean", .values = mean},
                               {.name = "running_variance", .values = variance}}};
    if (c.aliasing == Aliasing::kInPlace) {
      operands.list.push_back({.name = "x_grad",
                               .values = y_grad,
                               .access = Access::kUpdate,
                               .storage = c.storage(),
                               .alias = "y_grad"});
    } else {
      const bool accumulates = c.x_grad_mode == GradientMode::kAccumulate;
      operands.list.push_back({.name = "y_grad", .values = y_grad, .storage = c.storage()});
      operands.list.push_back({.name = "x_grad",
                               .values = accumulates ? draw.uniform("x_grad", c.x) : draw.nothing(c.x),
                               .access = accumulates ? Access::kUpdate : Access::kWrite,
                               .storage = c.storage(),
                               .slice = c.slice});
    }
    return operands;
  }

  static BatchNormInferenceBackward bind(const Case& c, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .scale = operands["scale"],
            .shift = operands["shift"],
            .running_mean = operands["running_mean"],
            .running_variance = operands["running_variance"],
            .y_grad = operands["y_grad"],
            .x_grad = operands["x_grad"],
            .epsilon = Batch::kEpsilon,
            .activation = c.activation,
            .x_grad_mode = c.x_grad_mode};
  }

  /// A product of at most 1.5·2·1 with five roundings (sum, root, reciprocal, two products), and one of the
  /// sum where it is added to another gradient.
  static Tolerance tolerance(const Case& c, std::string_view) {
    return {.absolute = 5 * kUnitRoundoff * Batch::kScale * 2,
            .relative = c.x_grad_mode == GradientMode::kAccumulate ? kUnitRoundoff : 0};
  }

  /// Per element: subtraction, two products, addition.
  static double flops(const Case& c) { return 4.0 * static_cast<double>(c.x.elements()); }

 private:
  static constexpr double kMargin = 1e-3;  // no activation is nearer to 0

  /// Moves elements whose activation is so near 0 that rounding could turn its sign to the channel's mean,
  /// where it is the shift (or near it, in bf16): the mask is a step, and no tolerance covers a step.
  static void keep_off_the_step(const Case& c, const Draw& draw, Batch& batch, const HostTensor& mean,
                                const HostTensor& variance) {
    const auto channels = static_cast<std::size_t>(c.x[1]),
               elements = static_cast<std::size_t>(c.x.elements());
    std::size_t flat = 0;
    for (float& x : batch.x.values<float>()) {
      const std::size_t k = flat / elements * channels + Batch::channel_of(c, flat % elements);
      ++flat;
      const double center = mean.values<float>()[k];
      const auto activation = [&] {
        return batch.scale.values<float>()[k] * (x - center) / std::sqrt(variance.values<float>()[k]) +
               batch.shift.values<float>()[k];
      };
      if (std::fabs(activation()) >= kMargin) continue;
      x = c.stored(draw, center);
      require<Error>(std::fabs(activation()) >= kMargin, "the activation of a channel's mean is {}",
                     activation());
    }
  }
};

}  // namespace gnc::tests
