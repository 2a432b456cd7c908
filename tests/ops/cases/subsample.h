#pragma once
/// Cases of engine/ops/subsample.h: one table for both directions.

#include <vector>

#include "engine/ops/subsample.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct SubsampleCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  Shape x;                      // [N,C,H,W]
  int out_channels = 1;
  int stride = 2;
  int first_channel = 0;
  GradientMode x_grad_mode = GradientMode::kOverwrite;

  Shape y() const { return {x[0], out_channels, (x[2] + stride - 1) / stride, (x[3] + stride - 1) / stride}; }
};

/// What the two ops share.
struct SubsampleCases {
  using Case = SubsampleCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {
        {.x = {1, 1, 1, 1}},
        {.x = {2, 3, 5, 7}, .out_channels = 3},                      // the last row and column are taken
        {.x = {2, 3, 4, 6}, .out_channels = 8, .first_channel = 2},  // more zeros behind than before
        {.x = {3, 5, 4, 4}, .out_channels = 10, .stride = 1, .first_channel = 5},
        {.x = {2, 7, 8, 10}, .out_channels = 9, .stride = 3, .first_channel = 1},
        {.x = {7, 16, 28, 28}, .out_channels = 32, .first_channel = 8}};
    return table;
  }

  /// The first shortcut of ResNet-20 that narrows the image.
  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {
        {.label = "resnet20.shortcut2", .x = {256, 16, 32, 32}, .out_channels = 32, .first_channel = 8}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}to{}.s{}.from{}{}", c.x.to_string(), c.out_channels, c.stride, c.first_channel,
                       c.x_grad_mode == GradientMode::kAccumulate ? ".adds" : "");
  }

  /// Copies of inputs; a sum of two is rounded.
  static Tolerance tolerance(const Case& c, std::string_view) {
    return {.relative = c.x_grad_mode == GradientMode::kAccumulate ? kUnitRoundoff : 0};
  }
  static double flops(const Case&) { return 0; }

 protected:
  static Operands pair(const Draw& draw, std::string_view read, const Shape& from, std::string_view written,
                       const Shape& to) {
    return {.runs = draw.runs(),
            .list = {{.name = read, .values = draw.uniform(read, from), .storage = Storage::kImage},
                     {.name = written,
                      .values = draw.nothing(to),
                      .access = Access::kWrite,
                      .storage = Storage::kImage}}};
  }
};

template <>
struct OpCases<SubsampleForward> : SubsampleCases {
  static Operands make_inputs(const Case& c, const Draw& draw) { return pair(draw, "x", c.x, "y", c.y()); }

  static SubsampleForward bind(const Case& c, const PlacedOperands& operands) {
    return {.stride = c.stride, .first_channel = c.first_channel, .x = operands["x"], .y = operands["y"]};
  }
};

template <>
struct OpCases<SubsampleBackward> : SubsampleCases {
  /// Each of the other table's twice: overwriting and adding.
  static std::span<const Case> cases() {
    static const std::vector<Case> table = [] {
      std::vector<Case> both;
      for (Case c : SubsampleCases::cases())
        for (const GradientMode mode : {GradientMode::kAccumulate, GradientMode::kOverwrite}) {
          c.x_grad_mode = mode;
          both.push_back(c);
        }
      return both;
    }();
    return table;
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    Operands operands = pair(draw, "y_grad", c.y(), "x_grad", c.x);
    if (c.x_grad_mode == GradientMode::kAccumulate) {
      operands.list.back().values = draw.uniform("x_grad", c.x);
      operands.list.back().access = Access::kUpdate;
    }
    return operands;
  }

  static SubsampleBackward bind(const Case& c, const PlacedOperands& operands) {
    return {.stride = c.stride,
            .first_channel = c.first_channel,
            .y_grad = operands["y_grad"],
            .x_grad = operands["x_grad"],
            .x_grad_mode = c.x_grad_mode};
  }
};

}  // namespace gnc::tests
