#pragma once
/// Cases of engine/ops/batch_norm_sum_conv2d.h.

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/ops/batch_norm_sum_conv2d.h"
#include "tests/ops/cases/batch_norm.h"
#include "tests/ops/cases/batch_norm_backward.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct BatchNormSumConv2dCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  Shape x;                      // [N,C,H,W]
  int out_channels = 1;
  Conv2dGeometry geometry = {.kernel = 3, .stride = 1, .padding = 1};
  bool is_onto_others = false;  // whether addend_grad is others_grad
  int others_stride = 1;
  int others_channels = 0;  // 0: as many as x
  int others_first_channel = 0;
  double mean_ratio = 1;              // |mean| of a channel over its standard deviation
  bool has_constant_channel = false;  // channel 0 has one value everywhere: its variance is 0
  std::optional<SliceOf> slice = {};  // of which x is channels
  std::optional<SliceOf> y_slice = {};
  bool is_rounded = false;  // whether images are bf16

  BatchNormCase norm() const {
    return {.x = x,
            .activation = Activation::kRelu,
            .mean_ratio = mean_ratio,
            .has_constant_channel = has_constant_channel,
            .slice = slice,
            .addend = Addend::kApart};
  }
  Shape y() const { return geometry.output_shape(x, out_channels); }
  Shape weights() const { return {out_channels, x[1], geometry.kernel, geometry.kernel}; }
  Shape others() const {
    const auto sampled = [&](int extent) { return (extent + others_stride - 1) / others_stride; };
    return {x[0], others_channels == 0 ? x[1] : others_channels, sampled(x[2]), sampled(x[3])};
  }
  /// Products that an element of the convolution's part is a sum of, at most.
  double products_of_gradient() const {
    const int reach = (geometry.kernel + geometry.stride - 1) / geometry.stride;
    return static_cast<double>(out_channels) * reach * reach;
  }
};

template <>
struct OpCases<BatchNormSumConv2dBackward> {
  using Case = BatchNormSumConv2dCase;
  using Batch = BatchNormBatch;

  static std::span<const Case> cases() {
    constexpr Conv2dGeometry k1x1 = {.kernel = 1, .stride = 1, .padding = 0};
    constexpr Conv2dGeometry k1x1Stride2 = {.kernel = 1, .stride = 2, .padding = 0};
    constexpr Conv2dGeometry k3x3Stride2 = {.kernel = 3, .stride = 2, .padding = 1};
    constexpr Conv2dGeometry k3x3Stride3Unpadded = {.kernel = 3, .stride = 3, .padding = 0};
    static const std::vector<Case> table = [&] {
      std::vector<Case> all = {
          {.x = {7, 1, 1, 1}, .geometry = k1x1, .is_onto_others = true},
          {.x = {2, 3, 5, 7}, .out_channels = 5, .is_onto_others = true},
          {.x = {2, 3, 5, 7}, .out_channels = 5, .is_onto_others = true, .has_constant_channel = true},
          {.x = {2, 3, 5, 7}, .out_channels = 5, .geometry = k3x3Stride2, .others_stride = 2},
          {.x = {2, 3, 1, 1}, .out_channels = 4, .geometry = k3x3Stride2, .others_stride = 2},
          {.x = {3, 19, 3, 5},
           .out_channels = 7,
           .geometry = k1x1,
           .is_onto_others = true,
           .slice = SliceOf{31, 5},
           .y_slice = SliceOf{11, 3}},
          {.x = {2, 24, 6, 6}, .out_channels = 12, .geometry = k1x1, .others_stride = 2},
          {.x = {2, 6, 7, 6},
           .out_channels = 9,
           .geometry = k3x3Stride2,
           .others_stride = 2,
           .others_channels = 16,
           .others_first_channel = 5},
          {.x = {2, 8, 7, 6},
           .out_channels = 16,
           .geometry = k3x3Stride2,
           .others_stride = 2,
           .others_channels = 16,
           .others_first_channel = 4},
          {.x = {2, 6, 7, 6}, .out_channels = 9, .others_channels = 9, .others_first_channel = 2},
          {.x = {3, 5, 4, 5}, .out_channels = 6, .geometry = k1x1Stride2},
          {.x = {2, 8, 8, 9}, .out_channels = 8, .geometry = k3x3Stride3Unpadded, .others_stride = 3},
          {.x = {5, 64, 16, 16}, .out_channels = 24, .geometry = k3x3Stride2, .others_stride = 2},
          {.x = {3, 76, 9, 11}, .out_channels = 16, .is_onto_others = true, .mean_ratio = 10}};
      for (std::size_t i = 0, plain = all.size(); i < plain; ++i)
        if (!all[i].has_constant_channel) {  // whose slope would leave nothing of the others' tolerance
          all.push_back(all[i]);
          all.back().is_rounded = true;
        }
      return all;
    }();
    return table;
  }
  /// Where ResNet-18's blocks of the first size meet, and where the images become smaller.
  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {
        {.label = "resnet18.layer1.1", .x = {256, 64, 32, 32}, .out_channels = 64, .is_onto_others = true},
        {.label = "resnet18.layer2.0",
         .x = {256, 64, 32, 32},
         .out_channels = 128,
         .geometry = {.kernel = 3, .stride = 2, .padding = 1},
         .others_stride = 2}};
    return table;
  }
  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}.to{}.k{}s{}p{}.{}{}{}", OpCases<BatchNormForward>::name(c.norm()), c.out_channels,
                       c.geometry.kernel, c.geometry.stride, c.geometry.padding,
                       c.is_onto_others ? "onto" : fmt::format("every{}", c.others_stride),
                       c.others_channels == 0
                           ? ""
                           : fmt::format(".of{}from{}", c.others_channels, c.others_first_channel),
                       c.y_slice ? fmt::format(".y_of{}", c.y_slice->channels) : "") +
           (c.is_rounded ? ".rounded" : "");
  }
  static bool is_for(const Case& c, const Backend& backend) {
    return c.is_rounded == (backend.precision() == Precision::kBf16);
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    Operands operands = OpCases<BatchNormBackward>::make_inputs(c.norm(), draw);
    std::erase_if(operands.list, [](const CaseOperand& operand) {
      return operand.name == "y_grad" || operand.name == "addend_grad";
    });
    for (CaseOperand& operand : operands.list) {
      if (operand.name == "y") operand.name = "z";
      if (operand.name == "x_grad") operand.slice = {};
    }
    operands.list.push_back({.name = "weights",
                             .values = draw.uniform("weights", c.weights()),
                             .storage = Storage::kWeights,
                             .is_multiplied = true});
    operands.list.push_back({.name = "y_grad",
                             .values = draw.uniform("y_grad", c.y()),
                             .storage = Storage::kImage,
                             .slice = c.y_slice,
                             .is_multiplied = true});
    const HostTensor others = draw.uniform("others_grad", c.others());
    if (c.is_onto_others) {
      operands.list.push_back({.name = "addend_grad",
                               .values = others,
                               .access = Access::kUpdate,
                               .storage = Storage::kImage,
                               .alias = "others_grad"});
    } else {
      operands.list.push_back({.name = "others_grad", .values = others, .storage = Storage::kImage});
      operands.list.push_back({.name = "addend_grad",
                               .values = draw.nothing(c.x),
                               .access = Access::kWrite,
                               .storage = Storage::kImage});
    }
    return operands;
  }

  static BatchNormSumConv2dBackward bind(const Case& c, const PlacedOperands& operands) {
    return {.geometry = c.geometry,
            .weights = operands["weights"],
            .y_grad = operands["y_grad"],
            .x = operands["x"],
            .scale = operands["scale"],
            .shift = operands["shift"],
            .mean = operands["mean"],
            .invstd = operands["invstd"],
            .z = operands["z"],
            .others_grad = operands["others_grad"],
            .others_stride = c.others_stride,
            .others_first_channel = c.others_first_channel,
            .addend_grad = operands["addend_grad"],
            .x_grad = operands["x_grad"],
            .scale_grad = operands["scale_grad"],
            .shift_grad = operands["shift_grad"]};
  }

  /// G is a sum of k products of variance 1/9 and a number of variance 1/3: of deviation √(k/9 + 1/3), below
  /// ten of the products' or k, and 1 more; wrong by e, which is the products' error and the sum's rounding,
  /// and in bf16 a rounding of each. From there on as BatchNormBackward with gradients of another size;
  /// errors of either sign over m pixels add up to ten deviations of √m of them at most, as in sum_error.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double u = kUnitRoundoff, m = c.norm().count(), k = c.products_of_gradient();
    const BatchNormCase norm = c.norm();
    const double deviation = std::sqrt(k / 9 + 1.0 / 3), bound = std::min(k, 10 * std::sqrt(k) / 3) + 1;
    const double e = sum_error(products(k)) + bound * (u + (c.is_rounded ? 2 * kBf16UnitRoundoff : 0));
    const double slope = Batch::kScale * Batch::largest_invstd(norm), x_hat = Batch::deviation(norm);
    const double x_hat_error = 2 * u * (x_hat + Batch::conditioning(norm));
    const double in_sum = std::min(m, 10 * std::sqrt(m));
    const double shift_grad =
        sum_error(Terms{.count = m, .bound = bound, .deviation = deviation}) + in_sum * e;
    const double scale_grad =
        sum_error(Terms{.count = m, .bound = bound * std::max(1.0, x_hat), .deviation = deviation}) +
        in_sum * (x_hat * e + deviation * x_hat_error);
    if (output == "addend_grad") return {.absolute = e};
    if (output == "shift_grad") return {.absolute = shift_grad, .relative = u};
    if (output == "scale_grad") return {.absolute = scale_grad, .relative = u};
    // Three terms of at most g, Σg/m and |x̂|·Σg·x̂/m, five roundings each, and their errors.
    return {.absolute = slope * (e + bound * (5 * u * (2 + x_hat) + x_hat_error) + shift_grad / m +
                                 x_hat * scale_grad / m)};
  }

  /// Of the convolution, of the sum and of the normalisation.
  static double flops(const Case& c) {
    const double products_of_y = c.x[1] * c.geometry.kernel * c.geometry.kernel;
    const Shape others = c.others();
    return static_cast<double>(c.y().elements()) * 2 * products_of_y +
           static_cast<double>(others.elements()) / others[1] * c.x[1] +
           OpCases<BatchNormBackward>::flops(c.norm());
  }
};

}  // namespace gnc::tests
