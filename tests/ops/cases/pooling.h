#pragma once
/// Cases of engine/ops/pooling.h: one table for maximum and average, forward and backward.

#include <algorithm>
#include <vector>

#include "engine/ops/pooling.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct PoolingCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  Shape x;                      // [N,C,H,W]
  Conv2dGeometry geometry = {};
  bool stores_winner = true;  // of maximum pooling, forward

  Shape y() const { return geometry.output_shape(x, x[1]); }
  /// Windows that a pixel can lie in, at most.
  double overlap() const {
    const int reach = (geometry.kernel + geometry.stride - 1) / geometry.stride;
    return std::min(reach, y()[2]) * std::min(reach, y()[3]);
  }
};

/// What the four pooling ops share.
struct PoolingCases {
  using Case = PoolingCase;

  static std::span<const Case> cases() {
    constexpr Conv2dGeometry k1x1 = {.kernel = 1, .stride = 1, .padding = 0};
    constexpr Conv2dGeometry k2x2 = {.kernel = 2, .stride = 2, .padding = 0};
    constexpr Conv2dGeometry k2x2Padded = {.kernel = 2, .stride = 2, .padding = 1};
    constexpr Conv2dGeometry k2x2Overlapping = {.kernel = 2, .stride = 1, .padding = 0};
    constexpr Conv2dGeometry k3x3 = {.kernel = 3, .stride = 2, .padding = 1};
    constexpr Conv2dGeometry k2x2Sparse = {.kernel = 2, .stride = 3, .padding = 0};
    static const std::vector<Case> table = {
        {.x = {1, 1, 1, 1}, .geometry = k1x1},
        {.x = {1, 1, 2, 2}, .geometry = k2x2},
        {.x = {1, 1, 2, 2}, .geometry = k2x2, .stores_winner = false},
        {.x = {2, 3, 5, 7}, .geometry = k2x2},  // a last row and column that no window reaches
        {.x = {2, 3, 5, 7}, .geometry = k2x2Padded},
        {.x = {2, 19, 4, 4}, .geometry = k2x2},
        {.x = {3, 7, 6, 5}, .geometry = k2x2Overlapping},
        {.x = {3, 7, 8, 9}, .geometry = k2x2Sparse},  // pixels between the windows
        {.x = {2, 33, 9, 7}, .geometry = k3x3},
        {.x = {2, 5, 6, 6}, .geometry = {.kernel = 3, .stride = 1, .padding = 1}},
        {.x = {7, 33, 7, 7}, .geometry = {.kernel = 7, .stride = 1, .padding = 0}},  // global
        {.x = {3, 16, 28, 28}, .geometry = k2x2},
        {.x = {2, 64, 32, 32}, .geometry = k2x2},
        {.x = {2, 19, 33, 31}, .geometry = k3x3, .stores_winner = false}};
    return table;
  }

  /// The pools of VGG11 on pictures of 32x32, and ResNet's global one.
  static std::span<const Case> benchmarks() {
    constexpr Conv2dGeometry k2x2 = {.kernel = 2, .stride = 2, .padding = 0};
    static const std::vector<Case> table = {
        {.label = "vgg11.pool1", .x = {256, 64, 32, 32}, .geometry = k2x2},
        {.label = "vgg11.pool2", .x = {256, 128, 16, 16}, .geometry = k2x2},
        {.label = "vgg11.pool3", .x = {256, 256, 8, 8}, .geometry = k2x2},
        {.label = "resnet18.global",
         .x = {256, 512, 4, 4},
         .geometry = {.kernel = 4, .stride = 1, .padding = 0}}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}.k{}s{}p{}{}", c.x.to_string(), c.geometry.kernel, c.geometry.stride,
                       c.geometry.padding, c.stores_winner ? "" : ".no_winner");
  }

  /// One comparison or addition per place of each window.
  static double flops(const Case& c) {
    return static_cast<double>(c.y().elements()) * c.geometry.kernel * c.geometry.kernel;
  }

 protected:
  /// With one place per window the winner is always place 0, and with one window it may well be.
  static ZeroReference winner_zeros(const Case& c) {
    const bool is_trivial = c.geometry.kernel == 1 || c.y().elements() == 1;
    return is_trivial ? ZeroReference::kIsExpected : ZeroReference::kIsAFault;
  }
};

template <>
struct OpCases<MaxPoolForward> : PoolingCases {
  static Operands make_inputs(const Case& c, const Draw& draw) {
    Operands operands{
        .runs = draw.runs(),
        // Five levels: windows with ties are the rule. All below zero: padding that wins would show as a
        // zero.
        .list = {{.name = "x", .values = draw.levels("x", c.x, 5, 0.5), .storage = Storage::kImage},
                 {.name = "y",
                  .values = draw.nothing(c.y()),
                  .access = Access::kWrite,
                  .storage = Storage::kImage}}};
    for (float& value : operands.list[0].values.values<float>()) value -= 2;
    if (c.stores_winner)
      operands.list.push_back({.name = "winner",
                               .values = draw.nothing(c.y(), DType::kU8),
                               .access = Access::kWrite,
                               .storage = Storage::kImage,
                               .zero_reference = winner_zeros(c)});
    return operands;
  }

  static MaxPoolForward bind(const Case& c, const PlacedOperands& operands) {
    return {.geometry = c.geometry, .x = operands["x"], .y = operands["y"], .winner = operands["winner"]};
  }

  /// Copies of inputs.
  static Tolerance tolerance(const Case&, std::string_view) { return {}; }
};

template <>
struct OpCases<MaxPoolBackward> : PoolingCases {
  static Operands make_inputs(const Case& c, const Draw& draw) {
    HostTensor winner = draw.integers("winner", c.y(), DType::kU8, 256);
    const Shape y = c.y();
    std::size_t flat = 0;
    for (std::uint8_t& place : winner.values<std::uint8_t>()) {
      const auto pixel = static_cast<int>(flat++ % static_cast<std::size_t>(y[2] * y[3]));
      const int k = inside_image(place % 16, pixel / y[3], c.geometry, c.x[2]);
      const int l = inside_image(place / 16, pixel % y[3], c.geometry, c.x[3]);
      place = static_cast<std::uint8_t>(k * c.geometry.kernel + l);
    }
    return {.runs = draw.runs(),
            .list = {{.name = "y_grad", .values = draw.uniform("y_grad", y), .storage = Storage::kImage},
                     {.name = "winner", .values = winner, .storage = Storage::kImage},
                     {.name = "x_grad",
                      .values = draw.nothing(c.x),
                      .access = Access::kWrite,
                      .storage = Storage::kImage}}};
  }

  static MaxPoolBackward bind(const Case& c, const PlacedOperands& operands) {
    return {.geometry = c.geometry,
            .y_grad = operands["y_grad"],
            .winner = operands["winner"],
            .x_grad = operands["x_grad"]};
  }

  /// Sums of at most `overlap` gradients of at most 1: one rounding less than there are terms, so copies are
  /// exact.
  static Tolerance tolerance(const Case& c, std::string_view) {
    return {.absolute = rounding_growth(c.overlap() - 1) * kUnitRoundoff * c.overlap()};
  }

 private:
  /// A place of the window of output `i`, picked by `draw`, at which there is a pixel: padding never wins.
  static int inside_image(int draw, int i, const Conv2dGeometry& geometry, int extent) {
    const int start = i * geometry.stride - geometry.padding;
    const int first = std::max(0, -start), last = std::min(geometry.kernel, extent - start) - 1;
    return first + draw % (last - first + 1);
  }
};

template <>
struct OpCases<AveragePoolForward> : PoolingCases {
  static Operands make_inputs(const Case& c, const Draw& draw) {
    return {.runs = draw.runs(),
            .list = {{.name = "x", .values = draw.uniform("x", c.x), .storage = Storage::kImage},
                     {.name = "y",
                      .values = draw.nothing(c.y()),
                      .access = Access::kWrite,
                      .storage = Storage::kImage}}};
  }

  static AveragePoolForward bind(const Case& c, const PlacedOperands& operands) {
    return {.geometry = c.geometry, .x = operands["x"], .y = operands["y"]};
  }

  /// A sum of K² terms of at most 1/K²; two roundings more for the factor 1/K² and its product.
  static Tolerance tolerance(const Case& c, std::string_view) {
    return {.absolute = (rounding_growth(c.geometry.kernel * c.geometry.kernel) + 2) * kUnitRoundoff};
  }
};

template <>
struct OpCases<AveragePoolBackward> : PoolingCases {
  static Operands make_inputs(const Case& c, const Draw& draw) {
    return {.runs = draw.runs(),
            .list = {{.name = "y_grad", .values = draw.uniform("y_grad", c.y()), .storage = Storage::kImage},
                     {.name = "x_grad",
                      .values = draw.nothing(c.x),
                      .access = Access::kWrite,
                      .storage = Storage::kImage}}};
  }

  static AveragePoolBackward bind(const Case& c, const PlacedOperands& operands) {
    return {.geometry = c.geometry, .y_grad = operands["y_grad"], .x_grad = operands["x_grad"]};
  }

  /// A sum of at most `overlap` terms of at most 1/K²; two roundings more for the factor 1/K² and its
  /// product.
  static Tolerance tolerance(const Case& c, std::string_view) {
    const double places = c.geometry.kernel * c.geometry.kernel;
    return {.absolute = (rounding_growth(c.overlap()) + 2) * kUnitRoundoff * c.overlap() / places};
  }
};

}  // namespace gnc::tests
