#pragma once
/// Cases of engine/ops/augment_normalize.h.

#include <utility>
#include <vector>

#include "engine/ops/augment_normalize.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct AugmentNormalizeCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int stored = 1;               // M
  Shape y;                      // [B,C,H,W]
  int reach = 0;                // shifts are -reach to reach
};

template <>
struct OpCases<AugmentNormalize> {
  using Case = AugmentNormalizeCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {
        {.stored = 1, .y = {1, 1, 1, 1}},
        {.stored = 3, .y = {2, 1, 1, 7}},
        {.stored = 7, .y = {5, 3, 5, 7}},
        {.stored = 2, .y = {7, 3, 4, 6}},  // pictures taken more than once
        {.stored = 33, .y = {7, 1, 28, 28}},
        {.stored = 19, .y = {33, 3, 32, 32}},
        {.stored = 3, .y = {7, 1, 1, 1}, .reach = 1},  // most of them all black
        {.stored = 5, .y = {33, 3, 5, 7}, .reach = 9},
        {.stored = 19, .y = {33, 3, 32, 32}, .reach = 4}};
    return table;
  }

  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {
        {.label = "cifar10", .stored = 50'000, .y = {256, 3, 32, 32}},
        {.label = "cifar10.crop", .stored = 50'000, .y = {256, 3, 32, 32}, .reach = 4}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}from{}{}", c.y.to_string(), c.stored,
                       c.reach == 0 ? "" : fmt::format("shifted{}", c.reach));
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const int batch = c.y[0];
    const Shape image = c.y.with_batch(1);
    HostTensor shifts = draw.integers("shifts", {batch, 2}, DType::kI32, 2 * c.reach + 1);
    for (std::int32_t& shift : shifts.values<std::int32_t>()) shift -= c.reach;
    // Pictures and normalisation lie as the data set keeps them (engine/batch.h).
    return {.runs = draw.runs(),
            .list = {{.name = "pixels",
                      .values = draw.shared().integers("pixels", c.y.with_batch(c.stored), DType::kU8, 256),
                      .layout = Layout::kNHWC},
                     {.name = "indices", .values = draw.integers("indices", {batch}, DType::kI32, c.stored)},
                     {.name = "flips", .values = draw.integers("flips", {batch}, DType::kU8, 2)},
                     {.name = "shifts", .values = std::move(shifts)},
                     {.name = "scale",
                      .values = draw.shared().uniform("scale", image, 0.5, 4),
                      .layout = Layout::kNHWC},
                     {.name = "offset",
                      .values = draw.shared().uniform("offset", image, -3, 3),
                      .layout = Layout::kNHWC},
                     {.name = "y",
                      .values = draw.nothing(c.y),
                      .access = Access::kWrite,
                      .storage = Storage::kImage}}};
  }

  static AugmentNormalize bind(const Case&, const PlacedOperands& operands) {
    return {.pixels = operands["pixels"],
            .indices = operands["indices"],
            .flips = operands["flips"],
            .shifts = operands["shifts"],
            .scale = operands["scale"],
            .offset = operands["offset"],
            .y = operands["y"]};
  }

  /// Two roundings of the pixel (of 1/255 and of the product), one of its product with a scale of at most 4,
  /// one of the sum of at most 7.
  static Tolerance tolerance(const Case&, std::string_view) {
    return {.absolute = (3 * 4 + 7) * kUnitRoundoff};
  }
  static double flops(const Case& c) { return 3.0 * static_cast<double>(c.y.elements()); }
};

}  // namespace gnc::tests
