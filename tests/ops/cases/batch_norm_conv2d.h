#pragma once
/// Cases of engine/ops/batch_norm_conv2d.h.

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/ops/batch_norm_conv2d.h"
#include "tests/ops/cases/batch_norm_shared.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct BatchNormConv2dCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  BatchNormSharedCase norm;     // of x
  int out_channels = 1;
  Conv2dGeometry geometry = {.kernel = 1, .stride = 1, .padding = 0};
  std::optional<SliceOf> y_slice = {};  // of which y_grad is channels
  bool is_shared = true;                // whether others normalise the channels
  /// Whether what is in between, or x_grad on its way, may be rounded to bf16: not by one kernel for both.
  bool is_rounded = false;

  Shape y() const { return geometry.output_shape(norm.x, out_channels); }
  Shape weights() const { return {out_channels, norm.x[1], geometry.kernel, geometry.kernel}; }
  /// Products that an element of the gradient in between is a sum of, at most.
  double products_of_gradient() const {
    const int reach = (geometry.kernel + geometry.stride - 1) / geometry.stride;
    return static_cast<double>(out_channels) * reach * reach;
  }
};

template <>
struct OpCases<BatchNormConv2dBackward> {
  using Case = BatchNormConv2dCase;
  using Batch = BatchNormBatch;

  static std::span<const Case> cases() {
    constexpr Activation kRelu = Activation::kRelu;
    constexpr GradientMode kAdds = GradientMode::kAccumulate;
    constexpr Conv2dGeometry k3x3 = {.kernel = 3, .stride = 1, .padding = 1};
    constexpr Conv2dGeometry k3x3Unpadded = {.kernel = 3, .stride = 1, .padding = 0};
    constexpr Conv2dGeometry k3x3Stride2 = {.kernel = 3, .stride = 2, .padding = 1};
    static const std::vector<Case> table = [&] {
      std::vector<Case> all = {
          {.norm = {.x = {1, 1, 1, 1}, .deferred_mode = kAdds}},
          {.norm = {.x = {2, 3, 5, 7}, .activation = kRelu}, .out_channels = 5},
          {.norm = {.x = {2, 3, 5, 7}, .activation = kRelu, .has_constant_channel = true}, .out_channels = 4},
          {.norm = {.x = {2, 3, 5, 7}, .activation = kRelu, .deferred_mode = kAdds},
           .out_channels = 5,
           .geometry = k3x3},
          {.norm = {.x = {3, 19, 3, 5}, .activation = kRelu, .slice = SliceOf{31, 5}},
           .out_channels = 7,
           .y_slice = SliceOf{11, 3}},
          {.norm = {.x = {2, 24, 4, 4}, .activation = kRelu, .slice = SliceOf{40, 8}, .deferred_mode = kAdds},
           .out_channels = 48},
          {.norm = {.x = {2, 12, 4, 4}, .activation = kRelu, .slice = SliceOf{36, 12}},
           .out_channels = 12,
           .geometry = k3x3,
           .y_slice = SliceOf{36, 24}},
          {.norm = {.x = {2, 6, 7, 6}, .activation = kRelu}, .out_channels = 9, .geometry = k3x3Unpadded},
          {.norm = {.x = {2, 6, 7, 6}, .activation = kRelu}, .out_channels = 9, .geometry = k3x3Stride2},
          {.norm = {.x = {7, 72, 3, 3}, .activation = kRelu, .deferred_mode = kAdds}, .out_channels = 33},
          {.norm = {.x = {1, 1, 1, 1}}, .is_shared = false},  // a normalised single element has no gradient
          {.norm = {.x = {2, 3, 5, 7}, .activation = kRelu, .has_constant_channel = true},
           .out_channels = 5,
           .geometry = k3x3,
           .is_shared = false},
          {.norm = {.x = {3, 19, 3, 5}, .activation = kRelu, .slice = SliceOf{31, 5}},
           .out_channels = 7,
           .y_slice = SliceOf{11, 3},
           .is_shared = false},
          {.norm = {.x = {2, 24, 6, 6}, .activation = kRelu},
           .out_channels = 12,
           .geometry = k3x3,
           .y_slice = SliceOf{36, 24},
           .is_shared = false},
          {.norm = {.x = {2, 6, 7, 6}}, .out_channels = 9, .geometry = k3x3Stride2, .is_shared = false},
          {.norm = {.x = {5, 64, 16, 16}, .activation = kRelu}, .out_channels = 24, .is_shared = false},
          {.norm = {.x = {3, 76, 9, 11}, .deferred_mode = kAdds}, .out_channels = 16},
          {.norm = {.x = {3, 19, 28, 28}, .activation = kRelu, .deferred_mode = kAdds}, .out_channels = 10},
          {.norm = {.x = {5, 64, 16, 16}, .activation = kRelu, .mean_ratio = 10}, .out_channels = 24}};
      for (std::size_t i = 0, plain = all.size(); i < plain; ++i)
        if (!all[i].norm.has_constant_channel) {  // whose slope would leave nothing of the others' tolerance
          all.push_back(all[i]);
          all.back().is_rounded = true;
        }
      return all;
    }();
    return table;
  }
  /// The first and the last of DenseNet-BC's (100, 12) first block.
  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = [] {
      std::vector<Case> all;
      for (const BatchNormSharedCase& norm : BatchNormSharedCase::of_a_dense_block())
        all.push_back({.label = norm.label, .norm = norm, .out_channels = 48});
      return all;
    }();
    return table;
  }
  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}.to{}.k{}s{}p{}{}", BatchNormSharedCase::name(c.norm), c.out_channels,
                       c.geometry.kernel, c.geometry.stride, c.geometry.padding,
                       c.y_slice ? fmt::format(".of{}", c.y_slice->channels) : "") +
           (c.is_shared ? "" : ".own") + (c.is_rounded ? ".rounded" : "");
  }
  static bool rounds(const Case& c) { return !c.is_shared || c.geometry.stride != 1; }
  static bool is_for(const Case& c, const Backend& backend) {
    if (backend.precision() != Precision::kBf16) return !c.is_rounded;
    return c.is_rounded == (rounds(c) || backend.name() == "reference");
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    BatchNormCase own = c.norm.norm();
    own.x_grad_mode = GradientMode::kOverwrite;
    Operands operands = c.is_shared ? OpCases<BatchNormSharedBackward>::make_inputs(c.norm, draw)
                                    : OpCases<BatchNormBackward>::make_inputs(own, draw);
    std::erase_if(operands.list, [](const CaseOperand& operand) { return operand.name == "y_grad"; });
    operands.list.push_back({.name = "weights",
                             .values = draw.uniform("weights", c.weights()),
                             .storage = Storage::kWeights,
                             .is_multiplied = true});
    operands.list.push_back({.name = "y_grad",
                             .values = draw.uniform("y_grad", c.y()),
                             .storage = Storage::kImage,
                             .slice = c.y_slice,
                             .is_multiplied = true});
    if (c.is_shared) {
      operands.list.push_back({.name = "between",
                               .values = draw.nothing(c.norm.x),
                               .access = Access::kScratch,
                               .storage = Storage::kImage});
    } else {
      for (CaseOperand& operand : operands.list)
        if (operand.name == "x_grad") operand.slice = {};
    }
    return operands;
  }

  static BatchNormConv2dBackward bind(const Case& c, const PlacedOperands& operands) {
    return {.geometry = c.geometry,
            .weights = operands["weights"],
            .y_grad = operands["y_grad"],
            .x = operands["x"],
            .scale = operands["scale"],
            .shift = operands["shift"],
            .mean = operands["mean"],
            .invstd = operands["invstd"],
            .between = operands["between"],
            .x_grad = operands["x_grad"],
            .scale_grad = operands["scale_grad"],
            .shift_grad = operands["shift_grad"],
            .deferred_mean = operands["deferred_mean"],
            .deferred_tilt = operands["deferred_tilt"],
            .activation = c.norm.activation,
            .deferred_mode = c.norm.deferred_mode};
  }

  /// The gradient in between, g, is a sum of k products of variance 1/9: of deviation √k/3, below ten of
  /// those or k, and wrong by e, which in bf16 may have a rounding more. From there on as
  /// BatchNormSharedBackward with gradients of another size; errors of either sign over m pixels add up to
  /// ten deviations of √m of them at most, as in sum_error.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double u = kUnitRoundoff, m = c.norm.count(), k = c.products_of_gradient();
    const BatchNormCase norm = c.norm.norm();
    const double deviation = std::sqrt(k) / 3, bound = std::min(k, 10 * deviation);
    const double e = sum_error(products(k)) + (c.is_rounded ? kBf16UnitRoundoff * bound : 0);
    const double slope = Batch::kScale * Batch::largest_invstd(norm), x_hat = Batch::deviation(norm);
    const double x_hat_error = 2 * u * (x_hat + Batch::conditioning(norm));
    const double in_sum = std::min(m, 10 * std::sqrt(m));
    const double shift_grad =
        sum_error(Terms{.count = m, .bound = bound, .deviation = deviation}) + in_sum * e;
    const double scale_grad =
        sum_error(Terms{.count = m, .bound = bound * std::max(1.0, x_hat), .deviation = deviation}) +
        in_sum * (x_hat * e + deviation * x_hat_error);
    // Of its own: three terms of at most g, Σg/m and |x̂|·Σg·x̂/m, five roundings each, and their errors.
    const double own =
        e + bound * (5 * u * (2 + x_hat) + x_hat_error) + shift_grad / m + x_hat * scale_grad / m;
    if (output == "x_grad" && !c.is_shared) return {.absolute = slope * own};
    if (output == "x_grad") return {.absolute = slope * (e + 2 * u * bound), .relative = u};
    if (output == "shift_grad") return {.absolute = shift_grad, .relative = u};
    if (output == "scale_grad") return {.absolute = scale_grad, .relative = u};
    if (output == "deferred_mean")
      return {.absolute = slope * (shift_grad / m + 4 * u * bound), .relative = u};
    return {.absolute = slope * Batch::largest_invstd(norm) * (scale_grad / m + 5 * u * bound * x_hat),
            .relative = u};
  }

  /// Of the convolution and of the normalisation.
  static double flops(const Case& c) {
    const double products_of_y = c.norm.x[1] * c.geometry.kernel * c.geometry.kernel;
    return static_cast<double>(c.y().elements()) * 2 * products_of_y +
           (c.is_shared ? OpCases<BatchNormSharedBackward>::flops(c.norm)
                        : OpCases<BatchNormBackward>::flops(c.norm.norm()));
  }
};

}  // namespace gnc::tests
