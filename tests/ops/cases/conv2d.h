#pragma once
/// Cases of engine/ops/conv2d.h: one table for the forward pass and both gradients.

#include <vector>

#include "engine/ops/conv2d.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct Conv2dCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  Shape x;                      // [N,C,H,W]
  int out_channels = 1;
  Conv2dGeometry geometry = {};
  bool has_bias = false;
  std::optional<SliceOf> slice = {};  // of which y, or its gradient, are channels
  GradientMode x_grad_mode = GradientMode::kOverwrite;
  bool has_statistics = false;  // of y, by the forward pass

  Shape y() const { return geometry.output_shape(x, out_channels); }
  Shape weights() const { return {out_channels, x[1], geometry.kernel, geometry.kernel}; }
};

/// What the three convolution ops share.
struct Conv2dCases {
  using Case = Conv2dCase;

  static std::span<const Case> cases() {
    constexpr Conv2dGeometry k1x1 = {.kernel = 1, .stride = 1, .padding = 0};
    constexpr Conv2dGeometry k1x1Stride2 = {.kernel = 1, .stride = 2, .padding = 0};
    constexpr Conv2dGeometry k3x3Stride2 = {.kernel = 3, .stride = 2, .padding = 1};
    constexpr Conv2dGeometry k3x3Unpadded = {.kernel = 3, .stride = 1, .padding = 0};
    constexpr Conv2dGeometry k5x5 = {.kernel = 5, .stride = 1, .padding = 2};
    constexpr Conv2dGeometry k7x7Stride2 = {.kernel = 7, .stride = 2, .padding = 3};
    static const std::vector<Case> table = {
        {.x = {1, 1, 1, 1}, .geometry = k1x1},
        {.x = {1, 1, 1, 1}},  // 3x3 on one pixel: eight of nine taps are padding
        {.x = {1, 1, 3, 3}, .geometry = k3x3Unpadded},
        {.x = {1, 2, 4, 4}, .out_channels = 3, .has_bias = true},
        {.x = {2, 3, 7, 5}, .out_channels = 7},
        {.x = {2, 3, 7, 5}, .out_channels = 19, .geometry = k3x3Stride2, .has_bias = true},
        {.x = {3, 19, 6, 6},
         .out_channels = 5,
         .geometry = k3x3Stride2},  // a last row and column no window reaches
        {.x = {3, 19, 5, 9}, .out_channels = 33, .geometry = k1x1, .has_bias = true},
        {.x = {2, 33, 9, 7}, .out_channels = 19, .geometry = k1x1Stride2},
        {.x = {2, 7, 6, 11}, .out_channels = 3, .geometry = k5x5},
        {.x = {1, 3, 33, 31}, .out_channels = 7, .geometry = k7x7Stride2},
        {.x = {2, 16, 8, 8}, .out_channels = 16},
        {.x = {2, 5, 5, 4}, .out_channels = 3, .slice = SliceOf{11, 7}},
        {.x = {3, 48, 4, 4}, .out_channels = 12, .slice = SliceOf{48, 24}},  // of DenseNet-BC
        {.x = {2, 16, 5, 5}, .out_channels = 32, .slice = SliceOf{64, 16}},
        {.x = {3, 24, 4, 4}, .out_channels = 17, .slice = SliceOf{20, 0}},  // of small images
        {.x = {1, 3, 7, 6}, .out_channels = 24, .slice = SliceOf{36, 0}},
        {.x = {2, 19, 6, 3}, .out_channels = 10, .geometry = k1x1, .slice = SliceOf{13, 1}},
        {.x = {7, 33, 2, 2}, .out_channels = 65, .has_bias = true},
        {.x = {5, 19, 4, 4}, .out_channels = 33, .geometry = k5x5},
        {.x = {2, 131, 3, 3}, .out_channels = 17},
        {.x = {37, 7, 6, 5}, .out_channels = 19, .has_bias = true},  // a batch of many small pictures
        {.x = {3, 1, 28, 28}, .out_channels = 16},
        {.x = {2, 3, 32, 32}, .out_channels = 33, .has_bias = true},
        {.x = {2, 32, 16, 16}, .out_channels = 48},
        {.x = {1, 64, 8, 8}, .out_channels = 64}};
    return table;
  }

  /// The convolutions of VGG11 on pictures of 32x32, and three of ResNet's.
  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {
        {.label = "vgg11.conv1", .x = {256, 3, 32, 32}, .out_channels = 64},
        {.label = "vgg11.conv2", .x = {256, 64, 16, 16}, .out_channels = 128},
        {.label = "vgg11.conv3", .x = {256, 128, 8, 8}, .out_channels = 256},
        {.label = "vgg11.conv4", .x = {256, 256, 8, 8}, .out_channels = 256},
        {.label = "vgg11.conv5", .x = {256, 256, 4, 4}, .out_channels = 512},
        {.label = "vgg11.conv6", .x = {256, 512, 4, 4}, .out_channels = 512},
        {.label = "vgg11.conv7", .x = {256, 512, 2, 2}, .out_channels = 512},
        {.label = "resnet18.layer1", .x = {256, 64, 32, 32}, .out_channels = 64},
        {.label = "resnet18.layer2.down",
         .x = {256, 64, 32, 32},
         .out_channels = 128,
         .geometry = {.kernel = 3, .stride = 2, .padding = 1}},
        {.label = "resnet18.layer2.shortcut",
         .x = {256, 64, 32, 32},
         .out_channels = 128,
         .geometry = {.kernel = 1, .stride = 2, .padding = 0}}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format(
        "{}to{}.k{}s{}p{}{}{}{}{}", c.x.to_string(), c.out_channels, c.geometry.kernel, c.geometry.stride,
        c.geometry.padding, c.has_bias ? ".bias" : "", c.slice ? fmt::format(".of{}", c.slice->channels) : "",
        c.x_grad_mode == GradientMode::kAccumulate ? ".adds" : "", c.has_statistics ? ".statistics" : "");
  }

  /// Products of the sum, padding counted; an addition for the mean, three operations for the variance.
  static double flops(const Case& c) {
    const double products_of_y = c.x[1] * c.geometry.kernel * c.geometry.kernel;
    return static_cast<double>(c.y().elements()) * (2.0 * products_of_y + (c.has_statistics ? 4.0 : 0.0));
  }
};

template <>
struct OpCases<Conv2dForward> : Conv2dCases {
  static std::span<const Case> cases() {
    static const std::vector<Case> table = [] {
      const auto plain = Conv2dCases::cases();
      std::vector<Case> all(plain.begin(), plain.end());
      // Rounding y to bf16 moves its statistics by more than their own errors: there the kernels' tests tell.
      for (Case c : plain)
        if (c.x[0] * c.y()[2] * c.y()[3] >= 75) {
          c.has_statistics = true;
          all.push_back(c);
        }
      return all;
    }();
    return table;
  }
  static bool is_for(const Case& c, const Backend& backend) {
    return backend.precision() != Precision::kBf16 || !c.has_statistics;
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    Operands operands{.runs = draw.runs(),
                      .list = {{.name = "x",
                                .values = draw.uniform("x", c.x),
                                .storage = Storage::kImage,
                                .is_multiplied = true},
                               {.name = "weights",
                                .values = draw.uniform("weights", c.weights()),
                                .storage = Storage::kWeights,
                                .is_multiplied = true},
                               {.name = "y",
                                .values = draw.nothing(c.y()),
                                .access = Access::kWrite,
                                .storage = Storage::kImage,
                                .slice = c.slice}}};
    if (c.has_bias)
      operands.list.push_back({.name = "bias", .values = draw.uniform("bias", {c.out_channels})});
    if (c.has_statistics)
      for (const char* name : {"mean", "variance", "invstd"})
        operands.list.push_back(
            {.name = name, .values = draw.nothing({c.out_channels}), .access = Access::kWrite});
    return operands;
  }

  static Conv2dForward bind(const Case& c, const PlacedOperands& operands) {
    return {.geometry = c.geometry,
            .x = operands["x"],
            .weights = operands["weights"],
            .bias = operands["bias"],
            .y = operands["y"],
            .mean = operands["mean"],
            .variance = operands["variance"],
            .invstd = operands["invstd"]};
  }

  /// y: a sum of C·K² products and a bias. Its statistics: its own error e, those of sums over m pixels as in
  /// BatchNormBatch, and of the variance 2·σ·e + e² more. The products are of variance 1/9: σ is taken to be
  /// between a sixth of √(C·K²) and all of it, and |y| below 4σ and the bias. (Channels with less would
  /// fail.)
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double products_of_y = c.x[1] * c.geometry.kernel * c.geometry.kernel;
    const double y_error = sum_error(products(1.0 + products_of_y));
    if (output == "y") return {.absolute = y_error};
    const double u = kUnitRoundoff, sigma = std::sqrt(products_of_y), largest = 4 * sigma + 1;
    const double growth = rounding_growth(static_cast<double>(c.y().elements()) / c.out_channels);
    const double mean_error = y_error + (growth + 2) * u * largest;
    if (output == "mean") return {.absolute = mean_error};
    const double variance_error =
        (2 * sigma + y_error) * y_error + mean_error * mean_error + (growth + 4) * u * sigma * largest;
    if (output == "variance") return {.absolute = variance_error};
    return {.relative = variance_error / (sigma * sigma / 36) / 2 + 3 * u};
  }
};

template <>
struct OpCases<Conv2dBackwardInput> : Conv2dCases {
  /// Those of all three ops, and some that add to what other consumers of x have given it.
  static std::span<const Case> cases() {
    constexpr Conv2dGeometry k1x1 = {.kernel = 1, .stride = 1, .padding = 0};
    constexpr Conv2dGeometry k1x1Stride2 = {.kernel = 1, .stride = 2, .padding = 0};
    constexpr Conv2dGeometry k3x3Stride2 = {.kernel = 3, .stride = 2, .padding = 1};
    constexpr Conv2dGeometry k7x7Stride2 = {.kernel = 7, .stride = 2, .padding = 3};
    static const std::vector<Case> table = [&] {
      std::vector<Case> adding = {{.x = {1, 1, 1, 1}, .geometry = k1x1},
                                  {.x = {1, 1, 1, 1}},
                                  {.x = {2, 3, 7, 5}, .out_channels = 7},
                                  {.x = {2, 3, 7, 5}, .out_channels = 19, .geometry = k3x3Stride2},
                                  {.x = {2, 16, 7, 6}, .out_channels = 24, .geometry = k1x1Stride2},
                                  {.x = {2, 5, 5, 4}, .out_channels = 3, .slice = SliceOf{11, 7}},
                                  {.x = {2, 33, 9, 7}, .out_channels = 19, .geometry = k1x1Stride2},
                                  {.x = {2, 12, 8, 8}, .out_channels = 16},
                                  {.x = {3, 16, 6, 6}, .out_channels = 5, .geometry = k3x3Stride2},
                                  {.x = {1, 3, 33, 31}, .out_channels = 7, .geometry = k7x7Stride2},
                                  {.x = {2, 131, 3, 3}, .out_channels = 17},
                                  {.x = {1, 64, 8, 8}, .out_channels = 64}};
      for (Case& c : adding) c.x_grad_mode = GradientMode::kAccumulate;
      adding.insert(adding.begin(), Conv2dCases::cases().begin(), Conv2dCases::cases().end());
      return adding;
    }();
    return table;
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const bool accumulates = c.x_grad_mode == GradientMode::kAccumulate;
    return {.runs = draw.runs(),
            .list = {{.name = "weights",
                      .values = draw.uniform("weights", c.weights()),
                      .storage = Storage::kWeights,
                      .is_multiplied = true},
                     {.name = "y_grad",
                      .values = draw.uniform("y_grad", c.y()),
                      .storage = Storage::kImage,
                      .slice = c.slice,
                      .is_multiplied = true},
                     {.name = "x_grad",
                      .values = accumulates ? draw.uniform("x_grad", c.x) : draw.nothing(c.x),
                      .access = accumulates ? Access::kUpdate : Access::kWrite,
                      .storage = Storage::kImage}}};
  }

  static Conv2dBackwardInput bind(const Case& c, const PlacedOperands& operands) {
    return {.geometry = c.geometry,
            .weights = operands["weights"],
            .y_grad = operands["y_grad"],
            .x_grad = operands["x_grad"],
            .x_grad_mode = c.x_grad_mode};
  }

  /// A sum of at most O·⌈K/stride⌉² products; where it is added to a gradient, that sum is rounded as well.
  static Tolerance tolerance(const Case& c, std::string_view) {
    const int reach = (c.geometry.kernel + c.geometry.stride - 1) / c.geometry.stride;
    const double terms = static_cast<double>(c.out_channels) * reach * reach;
    return {.absolute = sum_error(products(terms)),
            .relative = c.x_grad_mode == GradientMode::kAccumulate ? kUnitRoundoff : 0};
  }
};

template <>
struct OpCases<Conv2dBackwardWeights> : Conv2dCases {
  static Operands make_inputs(const Case& c, const Draw& draw) {
    Operands operands{.runs = draw.runs(),
                      .list = {{.name = "x",
                                .values = draw.uniform("x", c.x),
                                .storage = Storage::kImage,
                                .is_multiplied = true},
                               {.name = "y_grad",
                                .values = draw.uniform("y_grad", c.y()),
                                .storage = Storage::kImage,
                                .slice = c.slice,
                                .is_multiplied = true},
                               {.name = "weights_grad",
                                .values = draw.nothing(c.weights()),
                                .access = Access::kWrite,
                                .storage = Storage::kWeights,
                                .real = DType::kF32}}};
    if (c.has_bias)
      operands.list.push_back(
          {.name = "bias_grad", .values = draw.nothing({c.out_channels}), .access = Access::kWrite});
    return operands;
  }

  static Conv2dBackwardWeights bind(const Case& c, const PlacedOperands& operands) {
    return {.geometry = c.geometry,
            .x = operands["x"],
            .y_grad = operands["y_grad"],
            .weights_grad = operands["weights_grad"],
            .bias_grad = operands["bias_grad"]};
  }

  /// A sum of N·H'·W' products; of as many output gradients for the bias.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double terms = static_cast<double>(c.y().elements()) / c.out_channels;
    return {.absolute = sum_error(output == "bias_grad" ? uniform_terms(terms) : products(terms))};
  }
};

}  // namespace gnc::tests
