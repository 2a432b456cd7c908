#pragma once
/// Cases of engine/ops/gaussian_channel.h.

#include <vector>

#include "engine/ops/gaussian_channel.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct GaussianChannelCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int classes = 2;
  int dim = 1;
  int sigmas = 1;
  int samples = 1;
};

template <>
struct OpCases<GaussianChannel> {
  using Case = GaussianChannelCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {{.classes = 3, .dim = 2, .sigmas = 2, .samples = 100}};
    return table;
  }

  static std::span<const Case> benchmarks() { return {}; }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}x{}.sigmas{}.samples{}", c.classes, c.dim, c.sigmas, c.samples);
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    return {.runs = draw.runs(),
            .list = {{.name = "codewords", .values = draw.uniform("codewords", {c.classes, c.dim})},
                     {.name = "sigmas", .values = draw.uniform("sigmas", {c.sigmas}, 0.1, 1)},
                     {.name = "errors",
                      .values = draw.nothing({c.sigmas, c.classes}, DType::kI32),
                      .access = Access::kWrite}}};
  }

  static GaussianChannel bind(const Case& c, const PlacedOperands& operands) {
    return {.codewords = operands["codewords"],
            .sigmas = operands["sigmas"],
            .errors = operands["errors"],
            .samples = c.samples};
  }

  static Tolerance tolerance(const Case&, std::string_view) { return {}; }

  static double flops(const Case& c) { return 2.0 * c.samples * c.sigmas * c.classes * c.classes * c.dim; }
};

}  // namespace gnc::tests
