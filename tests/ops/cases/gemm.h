#pragma once
/// Cases of engine/ops/gemm.h.

#include <vector>

#include "engine/ops/gemm.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct GemmCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int rows = 1;                 // M
  int columns = 1;              // N
  int depth = 1;                // K
  Transpose transpose_a = Transpose::kNo;
  Transpose transpose_b = Transpose::kNo;
};

template <>
struct OpCases<Gemm> {
  using Case = GemmCase;

  static std::span<const Case> cases() {
    constexpr Transpose kYes = Transpose::kYes;
    static const std::vector<Case> table = {
        {.rows = 1, .columns = 1, .depth = 1},
        {.rows = 1, .columns = 1, .depth = 7},
        {.rows = 7, .columns = 1, .depth = 1},
        {.rows = 1, .columns = 7, .depth = 33, .transpose_b = kYes},
        {.rows = 7, .columns = 3, .depth = 5},
        {.rows = 7, .columns = 3, .depth = 5, .transpose_a = kYes},
        {.rows = 7, .columns = 3, .depth = 5, .transpose_b = kYes},
        {.rows = 7, .columns = 3, .depth = 5, .transpose_a = kYes, .transpose_b = kYes},
        {.rows = 16, .columns = 16, .depth = 16},
        {.rows = 33, .columns = 10, .depth = 6, .transpose_b = kYes},    // logits of a (10, 6) frame
        {.rows = 33, .columns = 6, .depth = 10},                         // their gradient
        {.rows = 6, .columns = 33, .depth = 1031, .transpose_a = kYes},  // weight gradient of a deep sum
        {.rows = 1031, .columns = 7, .depth = 33, .transpose_b = kYes},
        {.rows = 7, .columns = 1031, .depth = 33, .transpose_a = kYes, .transpose_b = kYes},
        {.rows = 65, .columns = 129, .depth = 257},
        {.rows = 65, .columns = 129, .depth = 257, .transpose_a = kYes},
        {.rows = 65, .columns = 129, .depth = 257, .transpose_b = kYes}};
    return table;
  }

  static std::span<const Case> benchmarks() {
    constexpr Transpose kYes = Transpose::kYes;
    static const std::vector<Case> table = {
        {.label = "vgg11.head", .rows = 256, .columns = 64, .depth = 512, .transpose_b = kYes},
        {.label = "vgg11.head.input_gradient", .rows = 256, .columns = 512, .depth = 64},
        {.label = "vgg11.head.weight_gradient",
         .rows = 64,
         .columns = 512,
         .depth = 256,
         .transpose_a = kYes},
        {.label = "logits100", .rows = 256, .columns = 100, .depth = 64, .transpose_b = kYes},
        {.label = "square1024", .rows = 1024, .columns = 1024, .depth = 1024}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}x{}x{}{}{}", c.rows, c.columns, c.depth,
                       c.transpose_a == Transpose::kYes ? ".ta" : "",
                       c.transpose_b == Transpose::kYes ? ".tb" : "");
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Shape a = c.transpose_a == Transpose::kYes ? Shape{c.depth, c.rows} : Shape{c.rows, c.depth};
    const Shape b = c.transpose_b == Transpose::kYes ? Shape{c.columns, c.depth} : Shape{c.depth, c.columns};
    return {.runs = draw.runs(),
            .list = {{.name = "a", .values = draw.uniform("a", a), .is_multiplied = true},
                     {.name = "b", .values = draw.uniform("b", b), .is_multiplied = true},
                     {.name = "c", .values = draw.nothing({c.rows, c.columns}), .access = Access::kWrite}}};
  }

  static Gemm bind(const Case& c, const PlacedOperands& operands) {
    return {.a = operands["a"],
            .b = operands["b"],
            .c = operands["c"],
            .transpose_a = c.transpose_a,
            .transpose_b = c.transpose_b};
  }

  /// A sum of K products.
  static Tolerance tolerance(const Case& c, std::string_view) {
    return {.absolute = sum_error(products(c.depth))};
  }

  static double flops(const Case& c) { return 2.0 * c.rows * c.columns * c.depth; }
};

}  // namespace gnc::tests
