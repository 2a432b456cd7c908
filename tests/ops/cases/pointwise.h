#pragma once
/// Cases of engine/ops/pointwise.h.

#include <algorithm>
#include <vector>

#include "engine/ops/pointwise.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct ReluCase {
  std::string_view label = {};  // of benchmarks; the shape tells the others apart
  Shape shape;                  // [N,C,H,W] or fewer extents
  Aliasing aliasing = Aliasing::kNone;

  /// Images lie as the backend likes images; anything else is row-major.
  Storage storage() const { return shape.rank() == 4 ? Storage::kImage : Storage::kPlain; }
};

/// What the two ReLU ops share.
struct ReluCases {
  using Case = ReluCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {{.shape = {7}},
                                            {.shape = {7}, .aliasing = Aliasing::kInPlace},
                                            {.shape = {33, 7}},
                                            {.shape = {2, 3, 5, 7}},
                                            {.shape = {1031, 33}, .aliasing = Aliasing::kInPlace},
                                            {.shape = {3, 19, 28, 28}, .aliasing = Aliasing::kInPlace}};
    return table;
  }

  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {{.label = "vgg11.relu1", .shape = {256, 64, 32, 32}}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}{}", c.shape.to_string(), c.aliasing == Aliasing::kInPlace ? ".in_place" : "");
  }

  /// Selected copies of inputs.
  static Tolerance tolerance(const Case&, std::string_view) { return {}; }
  static double flops(const Case& c) { return static_cast<double>(c.shape.elements()); }

 protected:
  /// The written operand and the read one it may overwrite, whose contents are `values`.
  static std::vector<CaseOperand> pair(const Case& c, std::string_view written, std::string_view read,
                                       const HostTensor& values) {
    if (c.aliasing == Aliasing::kInPlace)
      return {{.name = written,
               .values = values,
               .access = Access::kUpdate,
               .storage = c.storage(),
               .alias = read,
               .real = DType::kBf16}};
    return {{.name = written,
             .values = HostTensor(values.spec()),
             .access = Access::kWrite,
             .storage = c.storage(),
             .real = DType::kBf16},
            {.name = read, .values = values, .storage = c.storage(), .real = DType::kBf16}};
  }
};

template <>
struct OpCases<ReluForward> : ReluCases {
  static Operands make_inputs(const Case& c, const Draw& draw) {
    // Seven levels: zeros are among them.
    return {.runs = draw.runs(), .list = pair(c, "y", "x", draw.levels("x", c.shape, 7, 0.25))};
  }

  static ReluForward bind(const Case&, const PlacedOperands& operands) {
    return {.x = operands["x"], .y = operands["y"]};
  }
};

template <>
struct OpCases<ReluBackward> : ReluCases {
  static Operands make_inputs(const Case& c, const Draw& draw) {
    Operands operands{.runs = draw.runs(),
                      .list = pair(c, "x_grad", "y_grad", draw.uniform("y_grad", c.shape))};
    HostTensor y = draw.levels("y", c.shape, 7, 0.25);
    for (float& value : y.values<float>()) value = std::max(value, 0.0F);
    operands.list.push_back({.name = "y", .values = y, .storage = c.storage(), .real = DType::kBf16});
    return operands;
  }

  static ReluBackward bind(const Case&, const PlacedOperands& operands) {
    return {.y = operands["y"], .y_grad = operands["y_grad"], .x_grad = operands["x_grad"]};
  }
};

/// Over which of its operands an Add writes.
enum class Overwritten : std::uint8_t { kNeither, kA, kB, kBoth };

struct AddCase {
  std::string_view label = {};  // of benchmarks; the rest tells the others apart
  Shape shape;                  // [N,C,H,W] or fewer extents
  Activation activation = Activation::kNone;
  Overwritten overwritten = Overwritten::kNeither;

  Storage storage() const { return shape.rank() == 4 ? Storage::kImage : Storage::kPlain; }
};

template <>
struct OpCases<Add> {
  using Case = AddCase;

  static std::span<const Case> cases() {
    constexpr Activation kRelu = Activation::kRelu;
    static const std::vector<Case> table = {
        {.shape = {1}, .overwritten = Overwritten::kBoth},
        {.shape = {7}},
        {.shape = {7}, .activation = kRelu, .overwritten = Overwritten::kA},
        {.shape = {33, 7}, .overwritten = Overwritten::kB},
        {.shape = {2, 3, 5, 7}, .activation = kRelu},
        {.shape = {1031, 33}, .activation = kRelu, .overwritten = Overwritten::kBoth},
        {.shape = {3, 19, 28, 28}, .overwritten = Overwritten::kA},
        {.shape = {3, 19, 28, 28}, .activation = kRelu, .overwritten = Overwritten::kB}};
    return table;
  }

  /// The joins of ResNet-18's first stage.
  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {
        {.label = "resnet18.join1", .shape = {256, 64, 32, 32}, .activation = Activation::kRelu},
        {.label = "resnet18.gradients1", .shape = {256, 64, 32, 32}, .overwritten = Overwritten::kA}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    constexpr std::string_view kNames[] = {"", ".over_a", ".over_b", ".over_both"};
    return fmt::format("{}{}{}", c.shape.to_string(), c.activation == Activation::kRelu ? ".relu" : "",
                       kNames[static_cast<int>(c.overwritten)]);
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    // Seven levels: sums of zero are among them.
    const HostTensor a = draw.levels("a", c.shape, 7, 0.25), b = draw.levels("b", c.shape, 7, 0.25);
    const auto operand = [&](std::string_view name, const HostTensor& values) {
      return CaseOperand{.name = name, .values = values, .storage = c.storage(), .real = DType::kBf16};
    };
    const auto updated = [&](std::string_view alias, const HostTensor& values) {
      CaseOperand y = operand("y", values);
      y.access = Access::kUpdate;
      y.alias = alias;
      return y;
    };
    Operands operands{.runs = draw.runs(), .list = {}};
    switch (c.overwritten) {
      case Overwritten::kNeither:
        operands.list = {operand("y", draw.nothing(c.shape)), operand("a", a), operand("b", b)};
        operands.list.front().access = Access::kWrite;
        break;
      case Overwritten::kA:
        operands.list = {updated("a", a), operand("b", b)};
        break;
      case Overwritten::kB:
        operands.list = {updated("b", b), operand("a", a)};
        break;
      case Overwritten::kBoth:
        operands.list = {updated("a", a)};
        break;
    }
    return operands;
  }

  static Add bind(const Case& c, const PlacedOperands& operands) {
    return {.a = operands["a"],
            .b = operands[c.overwritten == Overwritten::kBoth ? "a" : "b"],
            .y = operands["y"],
            .activation = c.activation};
  }

  /// Multiples of 1/4 up to 3 in magnitude: their sums are exact in every precision.
  static Tolerance tolerance(const Case&, std::string_view) { return {}; }
  /// A sum, and with ReLU a comparison.
  static double flops(const Case& c) {
    return (c.activation == Activation::kRelu ? 2.0 : 1.0) * static_cast<double>(c.shape.elements());
  }
};

struct BiasCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int rows = 1;                 // N
  int columns = 1;              // O
};

/// What the two bias ops share.
struct BiasCases {
  using Case = BiasCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {{.rows = 1, .columns = 1},    {.rows = 7, .columns = 1},
                                            {.rows = 1, .columns = 33},   {.rows = 33, .columns = 7},
                                            {.rows = 256, .columns = 64}, {.rows = 1031, .columns = 19}};
    return table;
  }

  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {{.label = "vgg11.head", .rows = 256, .columns = 64}};
    return table;
  }

  static std::string name(const Case& c) {
    return c.label.empty() ? fmt::format("{}x{}", c.rows, c.columns) : std::string(c.label);
  }

  static double flops(const Case& c) { return 1.0 * c.rows * c.columns; }
};

template <>
struct OpCases<BiasForward> : BiasCases {
  static Operands make_inputs(const Case& c, const Draw& draw) {
    return {
        .runs = draw.runs(),
        .list = {{.name = "bias", .values = draw.uniform("bias", {c.columns})},
                 {.name = "y", .values = draw.uniform("y", {c.rows, c.columns}), .access = Access::kUpdate}}};
  }

  static BiasForward bind(const Case&, const PlacedOperands& operands) {
    return {.bias = operands["bias"], .y = operands["y"]};
  }

  /// One rounding of the result; a little more, as u bounds it by the rounded result and not by the exact
  /// one.
  static Tolerance tolerance(const Case&, std::string_view) { return {.relative = 1.01 * kUnitRoundoff}; }
};

template <>
struct OpCases<BiasBackward> : BiasCases {
  static Operands make_inputs(const Case& c, const Draw& draw) {
    return {.runs = draw.runs(),
            .list = {{.name = "y_grad", .values = draw.uniform("y_grad", {c.rows, c.columns})},
                     {.name = "bias_grad", .values = draw.nothing({c.columns}), .access = Access::kWrite}}};
  }

  static BiasBackward bind(const Case&, const PlacedOperands& operands) {
    return {.y_grad = operands["y_grad"], .bias_grad = operands["bias_grad"]};
  }

  /// A sum of N gradients.
  static Tolerance tolerance(const Case& c, std::string_view) {
    return {.absolute = sum_error(uniform_terms(c.rows))};
  }
};

struct ConvertLayoutCase {
  /// Between what dtypes: one (that of images), or in whatever precision from or to bf16.
  enum class DTypes : std::uint8_t { kOne, kFromBf16, kToBf16 };

  std::string_view label = {};  // of benchmarks; shape, layouts and dtypes tell the others apart
  Shape shape;
  Layout from = Layout::kRowMajor;
  Layout to = Layout::kNHWC;
  DTypes dtypes = DTypes::kOne;
};

template <>
struct OpCases<ConvertLayout> {
  using Case = ConvertLayoutCase;

  /// Blocked layouts are those of cpu's weights; no other backend meets them.
  static bool is_for(const Case& c, const Backend& backend) {
    const auto is_blocked = [](Layout layout) {
      return layout != Layout::kRowMajor && layout != Layout::kNHWC && layout != Layout::kHWNC;
    };
    const bool is_host = backend.name() == "reference" || backend.name() == "cpu";
    return is_host || !(is_blocked(c.from) || is_blocked(c.to));
  }

  static std::span<const Case> cases() {
    constexpr Layout kPlain = Layout::kRowMajor, kNHWC = Layout::kNHWC;
    constexpr auto kFromBf16 = Case::DTypes::kFromBf16, kToBf16 = Case::DTypes::kToBf16;
    static const std::vector<Case> table = {
        {.shape = {1, 1, 1, 1}, .from = kPlain, .to = kNHWC},
        {.shape = {2, 3, 5, 7}, .from = kPlain, .to = kNHWC},
        {.shape = {2, 3, 5, 7}, .from = kNHWC, .to = kPlain},
        {.shape = {2, 3, 5, 7}, .from = kNHWC, .to = kNHWC},
        {.shape = {3, 19, 4, 6}, .from = kPlain, .to = Layout::kHWNC},
        {.shape = {3, 19, 4, 6}, .from = Layout::kHWNC, .to = kNHWC},
        {.shape = {3, 19, 4, 6}, .from = kNHWC, .to = Layout::kHWNC},
        {.shape = {16, 16, 3, 3}, .from = kPlain, .to = Layout::kOIhw16i16o},
        {.shape = {33, 19, 3, 3}, .from = kPlain, .to = Layout::kOIhw16i16o},  // padding in both channels
        {.shape = {33, 19, 3, 3}, .from = Layout::kOIhw16i16o, .to = kNHWC},
        {.shape = {19, 3, 5, 5}, .from = kPlain, .to = Layout::kOhwi16o},
        {.shape = {19, 3, 5, 5}, .from = Layout::kOhwi16o, .to = kPlain},
        {.shape = {33, 19, 1, 1}, .from = kNHWC, .to = Layout::kOIhw8i8o},
        {.shape = {33, 19, 3, 3}, .from = Layout::kOIhw8i8o, .to = kPlain},
        {.shape = {19, 1, 3, 3}, .from = kPlain, .to = Layout::kOhwi8o},
        {.shape = {19, 3, 3, 3}, .from = Layout::kOhwi8o, .to = kNHWC},
        {.shape = {33, 19, 3, 3}, .from = Layout::kOIhw8i8o, .to = Layout::kOIhw16i16o},
        {.shape = {7, 33, 28, 28}, .from = kPlain, .to = kNHWC},
        {.shape = {1, 1, 1, 1}, .from = kPlain, .to = kPlain, .dtypes = kToBf16},
        {.shape = {2, 3, 5, 7}, .from = kNHWC, .to = kPlain, .dtypes = kFromBf16},
        {.shape = {2, 3, 5, 7}, .from = kPlain, .to = kNHWC, .dtypes = kToBf16},
        {.shape = {3, 19, 4, 6}, .from = Layout::kHWNC, .to = kPlain, .dtypes = kFromBf16},
        {.shape = {3, 19, 4, 6}, .from = kPlain, .to = Layout::kHWNC, .dtypes = kToBf16},
        {.shape = {33, 7, 1, 1}, .from = kNHWC, .to = kNHWC, .dtypes = kToBf16},
        {.shape = {33, 19, 3, 3}, .from = kPlain, .to = Layout::kOIhw8i8o, .dtypes = kToBf16},
        {.shape = {7, 33, 28, 28}, .from = kNHWC, .to = kPlain, .dtypes = kFromBf16}};
    return table;
  }

  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {{.label = "nchw_to_nhwc", .shape = {256, 64, 32, 32}}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    const bool to_bf16 = c.dtypes == Case::DTypes::kToBf16;
    return fmt::format("{}.{}_to_{}{}", c.shape.to_string(), to_string(c.from), to_string(c.to),
                       c.dtypes == Case::DTypes::kOne ? "" : (to_bf16 ? ".to_bf16" : ".from_bf16"));
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    CaseOperand x{.name = "x", .values = draw.uniform("x", c.shape), .layout = c.from};
    CaseOperand y{.name = "y", .values = draw.nothing(c.shape), .access = Access::kWrite, .layout = c.to};
    if (c.dtypes == Case::DTypes::kOne) x.real = y.real = DType::kBf16;
    if (c.dtypes == Case::DTypes::kFromBf16) x.values = as_real(x.values, DType::kBf16);
    if (c.dtypes == Case::DTypes::kToBf16) y.values = draw.nothing(c.shape, DType::kBf16);
    return {.runs = draw.runs(), .list = {x, y}};
  }

  static ConvertLayout bind(const Case&, const PlacedOperands& operands) {
    return {.x = operands["x"], .y = operands["y"]};
  }

  /// Copies, and one rounding to nearest even that has one right result.
  static Tolerance tolerance(const Case&, std::string_view) { return {}; }
  static double flops(const Case&) { return 0; }
};

}  // namespace gnc::tests
