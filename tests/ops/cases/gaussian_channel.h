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
    static const std::vector<Case> table = {
        {.classes = 2, .dim = 1, .sigmas = 2, .samples = 1},
        {.classes = 3, .dim = 2, .sigmas = 2, .samples = 200},
        {.classes = 7, .dim = 5, .sigmas = 3, .samples = 70},
        {.classes = 19, .dim = 33, .sigmas = 2, .samples = 65},   // more than a tile of each kind
        {.classes = 3, .dim = 101, .sigmas = 2, .samples = 33},   // noise that shared memory does not hold
        {.classes = 4, .dim = 3, .sigmas = 1, .samples = 1100}};  // more than a block's samples
    return table;
  }

  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {
        {.label = "channel.10x6", .classes = 10, .dim = 6, .sigmas = 20, .samples = 10000},
        {.label = "channel.100x64", .classes = 100, .dim = 64, .sigmas = 2, .samples = 10000}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}x{}.sigmas{}.samples{}", c.classes, c.dim, c.sigmas, c.samples);
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    // Every other σ samples the half-spaces, of which each other codeword has one, evenly.
    HostTensor proposals({.shape = {c.sigmas, c.classes, c.classes}});
    float* next = proposals.values<float>().data();
    for (int s = 0; s < c.sigmas; ++s) {
      for (int sent = 0; sent < c.classes; ++sent) {
        for (int j = 0; j < c.classes; ++j) {
          const int below = j + 1 - (j >= sent ? 1 : 0);  // other codewords up to j
          *next++ = s % 2 == 0 ? 0.0f : static_cast<float>(below) / static_cast<float>(c.classes - 1);
        }
      }
    }
    return {.runs = draw.runs(),
            .list = {{.name = "codewords", .values = draw.uniform("codewords", {c.classes, c.dim})},
                     {.name = "sigmas", .values = draw.uniform("sigmas", {c.sigmas}, 0.1, 1)},
                     {.name = "proposals", .values = proposals},
                     {.name = "rates",
                      .values = draw.nothing({c.sigmas, c.classes}),
                      .access = Access::kWrite,
                      .zero_reference = ZeroReference::kIsExpected}}};
  }

  static GaussianChannel bind(const Case& c, const PlacedOperands& operands) {
    return {.codewords = operands["codewords"],
            .sigmas = operands["sigmas"],
            .proposals = operands["proposals"],
            .rates = operands["rates"],
            .samples = c.samples};
  }

  static Tolerance tolerance(const Case& c, std::string_view) {
    // Rounding of about (d + 8)·u of ‖n‖‖M‖ changes a comparison where noise lies as near to a boundary: of
    // the comparisons of a cell, samples·C <= 1300 here, fewer than 1300·40·u·10 = 0.03 on average. One is
    // allowed for; it changes the mean by one sample's weight, at most 1.
    return {.absolute = 1.0 / c.samples + 2 * kUnitRoundoff};
  }

  static double flops(const Case& c) { return 2.0 * c.samples * c.sigmas * c.classes * c.classes * c.dim; }
};

}  // namespace gnc::tests
