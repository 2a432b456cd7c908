#pragma once
/// Cases of engine/ops/batch_norm.h.

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/ops/batch_norm.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct BatchNormCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  Shape x;                      // [N,C,H,W] or [N,C]
  Activation activation = Activation::kNone;
  double mean_ratio = 1;              // |mean| of a channel over its standard deviation
  bool has_constant_channel = false;  // channel 0 has one value everywhere: its variance is 0
  Aliasing aliasing = Aliasing::kNone;
  std::optional<SliceOf> slice = {};  // of which x, and x_grad unless it is y_grad, are channels
  GradientMode x_grad_mode = GradientMode::kOverwrite;

  /// Elements per channel, m.
  double count() const { return static_cast<double>(x.elements()) / x[1]; }
  /// Images lie as the backend likes images; [N,C] is row-major, fp32 in every precision.
  Storage storage() const { return x.rank() == 4 ? Storage::kImage : Storage::kPlain; }
  /// What becomes of a number in x.
  float stored(const Draw& draw, double value) const {
    return storage() == Storage::kImage ? draw.as_image(value) : static_cast<float>(value);
  }
};

/// The batch that all cases are made of, and the bounds that the tolerances are derived from.
/// Channel c is mean_c + σ_c·v with σ_c in [0.5, 2], |mean_c| = mean_ratio·σ_c and v uniform with variance 1,
/// so |v| <= √3.
struct BatchNormBatch {
  static constexpr double kScale = 1.5;        // |scale| at most
  static constexpr double kShift = 1;          // |shift| at most
  static constexpr double kConstant = 1.5;     // value of the constant channel; its sums are exact in fp32
  static constexpr double kLargestSpread = 2;  // σ_c at most
  static constexpr float kEpsilon = 1e-5F;

  HostTensor x;
  HostTensor scale;
  HostTensor shift;

  BatchNormBatch(const BatchNormCase& c, const Draw& draw)
      : x(draw.uniform("x", c.x, -std::sqrt(3.0), std::sqrt(3.0))),
        scale(draw.uniform("scale", {c.x[1]}, -kScale, kScale)),
        shift(draw.uniform("shift", {c.x[1]}, 0.1, kShift)) {
    const HostTensor spread = Draw(17).uniform("spread", {c.x[1]}, 0.5, kLargestSpread);
    const auto sigmas = spread.values<float>();
    std::size_t flat = 0;
    for (float& value : x.values<float>()) {
      const std::size_t channel = channel_of(c, flat++);
      const double sigma = sigmas[channel], sign = channel % 2 == 0 ? 1 : -1;
      value = c.stored(
          draw, c.has_constant_channel && channel == 0 ? kConstant : sigma * (sign * c.mean_ratio + value));
    }
  }

  static std::size_t channel_of(const BatchNormCase& c, std::size_t flat) {
    return flat / static_cast<std::size_t>(c.x[2] * c.x[3]) % static_cast<std::size_t>(c.x[1]);
  }

  /// bf16 has 8 significant bits: of a deviation that is less than some 2^-5 of the mean too little is left.
  static bool is_for(const BatchNormCase& c, const Backend& backend) {
    return backend.precision() != Precision::kBf16 || c.mean_ratio <= 32;
  }

  /// max |x|; bf16 may have rounded it up.
  static double magnitude(const BatchNormCase& c) {
    return (1 + kBf16UnitRoundoff) * kLargestSpread * (c.mean_ratio + std::sqrt(3.0));
  }
  /// max |x| / σ̂ of a channel that is not constant. The deviation σ̂ of a sample of the sizes used here stays
  /// above σ/2.
  static double conditioning(const BatchNormCase& c) {
    return (1 + kBf16UnitRoundoff) * 2 * (c.mean_ratio + std::sqrt(3.0));
  }
  /// max |x − mean| / σ̂: √(m−1) for any sample, 4√3 for these.
  static double deviation(const BatchNormCase& c) {
    return std::min(std::sqrt(c.count() - 1), 4 * std::sqrt(3.0));
  }
  static bool has_zero_variance(const BatchNormCase& c) { return c.has_constant_channel || c.count() == 1; }
  /// 1/√(variance + epsilon) at most: 2/σ, or 1/√epsilon where a variance is zero.
  static double largest_invstd(const BatchNormCase& c) {
    return has_zero_variance(c) ? 1 / std::sqrt(double{kEpsilon}) : 4;
  }
  /// Relative error of a variance without cancellation. Two passes: growth(m) + 4 roundings, and the square
  /// of the mean's error in units of σ̂; updating formulas (Welford, Chan) multiply the first by the
  /// conditioning (Chan, Golub, LeVeque 1983). E[x²] − E[x]² multiplies it by the *square* of the
  /// conditioning, which is what this must not allow.
  static double variance_error(const BatchNormCase& c) {
    const double mean_error = (rounding_growth(c.count()) + 1) * kUnitRoundoff * conditioning(c);
    return (rounding_growth(c.count()) + 4) * kUnitRoundoff * conditioning(c) + mean_error * mean_error;
  }
};

template <>
struct OpCases<BatchNormForward> {
  using Case = BatchNormCase;
  using Batch = BatchNormBatch;

  static bool is_for(const Case& c, const Backend& backend) { return Batch::is_for(c, backend); }

  static std::span<const Case> cases() {
    constexpr Activation kRelu = Activation::kRelu;
    static const std::vector<Case> table = {
        {.x = {1, 1, 1, 1}},  // variance 0, y = shift; the running variance takes the biased one
        {.x = {1, 3}},
        {.x = {7, 1}, .activation = kRelu},
        {.x = {7, 3, 1, 1}},
        {.x = {33, 19}},
        {.x = {2, 3, 5, 7}},
        {.x = {2, 3, 5, 7}, .activation = kRelu, .has_constant_channel = true},
        {.x = {3, 19, 3, 5}, .activation = kRelu, .slice = SliceOf{31, 5}},
        {.x = {2, 24, 4, 4}, .slice = SliceOf{40, 8}},  // in packs of 16 bytes
        {.x = {2, 12, 4, 4}, .activation = kRelu, .slice = SliceOf{36, 0}},
        {.x = {7, 33, 3, 3}, .activation = kRelu},
        {.x = {1031, 7}, .activation = kRelu},
        {.x = {3, 19, 28, 28}, .activation = kRelu},
        {.x = {2, 3, 32, 32}, .mean_ratio = 1000},  // cancellation would show
        {.x = {5, 64, 16, 16}, .activation = kRelu, .mean_ratio = 10}};
    return table;
  }

  static std::span<const Case> benchmarks() {
    constexpr Activation kRelu = Activation::kRelu;
    static const std::vector<Case> table = {
        {.label = "vgg11.bn1", .x = {256, 64, 32, 32}, .activation = kRelu},
        {.label = "vgg11.bn2", .x = {256, 128, 16, 16}, .activation = kRelu},
        {.label = "vgg11.bn4", .x = {256, 256, 8, 8}, .activation = kRelu},
        {.label = "vgg11.bn6", .x = {256, 512, 4, 4}, .activation = kRelu},
        {.label = "vgg11.bn8", .x = {256, 512, 2, 2}, .activation = kRelu}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}{}{}{}{}{}{}", c.x.to_string(), c.activation == Activation::kRelu ? ".relu" : "",
                       c.mean_ratio == 1 ? "" : fmt::format(".mean{}", c.mean_ratio),
                       c.has_constant_channel ? ".constant" : "",
                       c.aliasing == Aliasing::kInPlace ? ".in_place" : "",
                       c.slice ? fmt::format(".of{}", c.slice->channels) : "",
                       c.x_grad_mode == GradientMode::kAccumulate ? ".adds" : "");
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Batch batch(c, draw);
    const Shape channels{c.x[1]};
    return {
        .runs = draw.runs(),
        .list = {
            {.name = "x", .values = batch.x, .storage = c.storage(), .slice = c.slice},
            {.name = "scale", .values = batch.scale},
            {.name = "shift", .values = batch.shift},
            {.name = "running_mean",
             .values = draw.uniform("running_mean", channels),
             .access = Access::kUpdate},
            {.name = "running_variance",
             .values = draw.uniform("running_variance", channels, 0.25, 4),
             .access = Access::kUpdate},
            {.name = "mean", .values = draw.nothing(channels), .access = Access::kWrite},
            {.name = "invstd", .values = draw.nothing(channels), .access = Access::kWrite},
            {.name = "y", .values = draw.nothing(c.x), .access = Access::kWrite, .storage = c.storage()}}};
  }

  static BatchNormForward bind(const Case& c, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .scale = operands["scale"],
            .shift = operands["shift"],
            .running_mean = operands["running_mean"],
            .running_variance = operands["running_variance"],
            .mean = operands["mean"],
            .invstd = operands["invstd"],
            .y = operands["y"],
            .epsilon = Batch::kEpsilon,
            .momentum = 0.1F,
            .activation = c.activation};
  }

  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double u = kUnitRoundoff;
    // A sum of m terms of at most max |x|, divided by m.
    const double mean_error = (rounding_growth(c.count()) + 2) * u * Batch::magnitude(c);
    // Half of the variance's, and three roundings: epsilon, root, reciprocal.
    const double invstd_error = Batch::variance_error(c) / 2 + 3 * u;
    if (output == "mean") return {.absolute = mean_error};
    if (output == "invstd") return {.relative = invstd_error};
    // Averages with weights 0.9 and 0.1; three roundings. Both variances are positive, the means need not be.
    if (output == "running_mean")
      return {.absolute = 3 * u * (1 + 0.1 * Batch::magnitude(c)) + 0.1 * mean_error};
    if (output == "running_variance") return {.relative = 4 * u + Batch::variance_error(c)};
    // y: the mean's error in units of σ̂; the deviation times the error of invstd and two roundings; and where
    // it is computed as x·a + b, one rounding each of x·a and mean·a. Where a variance is zero, mean and
    // deviation are exact, but a is 1/√epsilon times as large as the scale.
    const double normalized = (rounding_growth(c.count()) + 4) * u * Batch::conditioning(c) +
                              Batch::deviation(c) * (invstd_error + 3 * u);
    const double flat = Batch::has_zero_variance(c) ? 2 * u * Batch::kConstant * Batch::largest_invstd(c) : 0;
    const double single = c.count() == 1 ? 2 * u * Batch::magnitude(c) * Batch::largest_invstd(c) : 0;
    return {.absolute = Batch::kScale * (normalized + flat + single) + 2 * u * Batch::kShift,
            .relative = 2 * u};
  }

  /// Per element: one addition for the mean, three operations for the variance, four for y.
  static double flops(const Case& c) { return 8.0 * static_cast<double>(c.x.elements()); }
};

template <>
struct OpCases<BatchNormApply> {
  using Case = BatchNormCase;
  using Batch = BatchNormBatch;

  static std::span<const Case> cases() {
    constexpr Activation kRelu = Activation::kRelu;
    static const std::vector<Case> table = {
        {.x = {1, 1, 1, 1}},
        {.x = {7, 3}},
        {.x = {2, 3, 5, 7}, .activation = kRelu},
        {.x = {3, 19, 3, 5}, .slice = SliceOf{31, 5}},
        {.x = {2, 24, 4, 4}, .activation = kRelu, .slice = SliceOf{40, 8}},
        {.x = {3, 19, 28, 28}, .activation = kRelu, .mean_ratio = 10}};
    return table;
  }

  static std::span<const Case> benchmarks() { return OpCases<BatchNormForward>::benchmarks(); }
  static std::string name(const Case& c) { return OpCases<BatchNormForward>::name(c); }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Batch batch(c, draw);
    const Shape channels{c.x[1]};
    return {
        .runs = draw.runs(),
        .list = {
            {.name = "x", .values = batch.x, .storage = c.storage(), .slice = c.slice},
            {.name = "scale", .values = batch.scale},
            {.name = "shift", .values = batch.shift},
            {.name = "mean", .values = draw.uniform("mean", channels)},
            {.name = "invstd", .values = draw.uniform("invstd", channels, 0.25, 2)},
            {.name = "y", .values = draw.nothing(c.x), .access = Access::kWrite, .storage = c.storage()}}};
  }

  static BatchNormApply bind(const Case& c, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .scale = operands["scale"],
            .shift = operands["shift"],
            .mean = operands["mean"],
            .invstd = operands["invstd"],
            .y = operands["y"],
            .activation = c.activation};
  }

  /// scale·(x − mean)·invstd is at most 1.5·(max |x| + 1)·2 and takes five roundings (as x·a + b: one each of
  /// x·a, mean·a and a, and of the difference); the sum with the shift takes one more.
  static Tolerance tolerance(const Case& c, std::string_view) {
    const double normalized = Batch::kScale * (Batch::magnitude(c) + 1) * 2;
    return {.absolute = 5 * kUnitRoundoff * normalized + 2 * kUnitRoundoff * Batch::kShift,
            .relative = kUnitRoundoff};
  }

  /// Per element: subtraction, two products, addition.
  static double flops(const Case& c) { return 4.0 * static_cast<double>(c.x.elements()); }
};

template <>
struct OpCases<BatchNormInference> {
  using Case = BatchNormCase;
  using Batch = BatchNormBatch;

  static std::span<const Case> cases() {
    constexpr Activation kRelu = Activation::kRelu;
    static const std::vector<Case> table = {
        {.x = {1, 1, 1, 1}},
        {.x = {7, 3}, .aliasing = Aliasing::kInPlace},
        {.x = {2, 3, 5, 7}, .activation = kRelu},
        {.x = {2, 33, 5, 7}, .activation = kRelu, .aliasing = Aliasing::kInPlace},
        {.x = {3, 19, 3, 5}, .activation = kRelu, .slice = SliceOf{31, 5}},
        {.x = {2, 24, 4, 4}, .slice = SliceOf{40, 8}},
        {.x = {3, 19, 28, 28}, .activation = kRelu, .mean_ratio = 10}};
    return table;
  }

  static std::span<const Case> benchmarks() { return OpCases<BatchNormForward>::benchmarks(); }
  static std::string name(const Case& c) { return OpCases<BatchNormForward>::name(c); }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Batch batch(c, draw);
    const Shape channels{c.x[1]};
    Operands operands{.runs = draw.runs(),
                      .list = {{.name = "scale", .values = batch.scale},
                               {.name = "shift", .values = batch.shift},
                               {.name = "running_mean", .values = draw.uniform("running_mean", channels)},
                               {.name = "running_variance",
                                .values = draw.uniform("running_variance", channels, 0.25, 4)}}};
    if (c.aliasing == Aliasing::kInPlace) {
      operands.list.push_back(
          {.name = "y", .values = batch.x, .access = Access::kUpdate, .storage = c.storage(), .alias = "x"});
    } else {
      operands.list.push_back({.name = "x", .values = batch.x, .storage = c.storage(), .slice = c.slice});
      operands.list.push_back(
          {.name = "y", .values = draw.nothing(c.x), .access = Access::kWrite, .storage = c.storage()});
    }
    return operands;
  }

  static BatchNormInference bind(const Case& c, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .scale = operands["scale"],
            .shift = operands["shift"],
            .running_mean = operands["running_mean"],
            .running_variance = operands["running_variance"],
            .y = operands["y"],
            .epsilon = Batch::kEpsilon,
            .activation = c.activation};
  }

  /// scale·(x − mean)/√(variance + ε) is at most 1.5·(max |x| + 1)·2 and takes six roundings (as x·a + b: one
  /// each of x·a and mean·a, four of a); the sum with the shift takes one more.
  static Tolerance tolerance(const Case& c, std::string_view) {
    const double normalized = Batch::kScale * (Batch::magnitude(c) + 1) * 2;
    return {.absolute = 6 * kUnitRoundoff * normalized + 2 * kUnitRoundoff * Batch::kShift,
            .relative = kUnitRoundoff};
  }

  /// Per element: subtraction, two products, addition.
  static double flops(const Case& c) { return 4.0 * static_cast<double>(c.x.elements()); }
};

template <>
struct OpCases<BatchNormBackward> {
  using Case = BatchNormCase;
  using Batch = BatchNormBatch;

  static std::span<const Case> cases() {
    constexpr Activation kRelu = Activation::kRelu;
    static const std::vector<Case> table = {
        {.x = {1, 1, 1, 1}},  // a normalised single element has no gradient
        {.x = {7, 1}},
        {.x = {7, 3}, .activation = kRelu},
        {.x = {7, 3}, .activation = kRelu, .aliasing = Aliasing::kInPlace},
        {.x = {2, 3, 5, 7}},
        {.x = {2, 3, 5, 7}, .activation = kRelu, .has_constant_channel = true},
        {.x = {3, 19, 3, 5}, .activation = kRelu, .slice = SliceOf{31, 5}},
        {.x = {2, 24, 4, 4}, .activation = kRelu, .slice = SliceOf{40, 8}},
        {.x = {3, 19, 3, 5},
         .activation = kRelu,
         .slice = SliceOf{31, 5},
         .x_grad_mode = GradientMode::kAccumulate},
        {.x = {2, 24, 4, 4}, .slice = SliceOf{40, 8}, .x_grad_mode = GradientMode::kAccumulate},
        {.x = {7, 3}, .activation = kRelu, .x_grad_mode = GradientMode::kAccumulate},
        {.x = {7, 33, 3, 3}, .activation = kRelu, .aliasing = Aliasing::kInPlace},
        {.x = {1031, 7}, .activation = kRelu},
        {.x = {3, 19, 28, 28}, .activation = kRelu},
        {.x = {5, 64, 16, 16}, .activation = kRelu, .mean_ratio = 10, .aliasing = Aliasing::kInPlace}};
    return table;
  }

  static std::span<const Case> benchmarks() { return OpCases<BatchNormForward>::benchmarks(); }
  static std::string name(const Case& c) { return OpCases<BatchNormForward>::name(c); }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    Batch batch(c, draw);
    const Shape channels{c.x[1]};
    HostTensor mean = draw.nothing(channels), invstd = draw.nothing(channels);
    for (int run = 0; run < draw.runs(); ++run) take_statistics(c, draw, run, batch, mean, invstd);
    const ZeroReference zeros = c.count() == 1 ? ZeroReference::kIsExpected : ZeroReference::kIsAFault;
    const HostTensor y_grad = draw.uniform("y_grad", c.x);
    Operands operands{
        .runs = draw.runs(),
        .list = {{.name = "x", .values = batch.x, .storage = c.storage(), .slice = c.slice},
                 {.name = "scale", .values = batch.scale},
                 {.name = "shift", .values = batch.shift},
                 {.name = "mean", .values = mean},
                 {.name = "invstd", .values = invstd},
                 {.name = "scale_grad",
                  .values = draw.nothing(channels),
                  .access = Access::kWrite,
                  .zero_reference = zeros},
                 {.name = "shift_grad", .values = draw.nothing(channels), .access = Access::kWrite}}};
    if (c.aliasing == Aliasing::kInPlace) {
      operands.list.push_back({.name = "x_grad",
                               .values = y_grad,
                               .access = Access::kUpdate,
                               .storage = c.storage(),
                               .alias = "y_grad"});
    } else {
      operands.list.push_back({.name = "y_grad", .values = y_grad, .storage = c.storage()});
      const bool accumulates = c.x_grad_mode == GradientMode::kAccumulate;
      operands.list.push_back({.name = "x_grad",
                               .values = accumulates ? draw.uniform("x_grad", c.x) : draw.nothing(c.x),
                               .access = accumulates ? Access::kUpdate : Access::kWrite,
                               .storage = c.storage(),
                               .slice = c.slice,
                               .zero_reference = zeros});
    }
    return operands;
  }

  static BatchNormBackward bind(const Case& c, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .scale = operands["scale"],
            .shift = operands["shift"],
            .mean = operands["mean"],
            .invstd = operands["invstd"],
            .y_grad = operands["y_grad"],
            .x_grad = operands["x_grad"],
            .scale_grad = operands["scale_grad"],
            .shift_grad = operands["shift_grad"],
            .activation = c.activation,
            .x_grad_mode = c.x_grad_mode};
  }

  /// Gradients g are uniform in [−1, 1), or 0 where masked; x̂ has variance 1 and is independent of them.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    const double u = kUnitRoundoff, m = c.count();
    // x̂: two roundings of itself, and two of x·invstd and mean·invstd where it is computed from those.
    const double normalized = 2 * u * (Batch::deviation(c) + Batch::conditioning(c));
    const double shift_grad = sum_error(uniform_terms(m)) + u;
    // The errors of x̂ meet gradients of either sign: their sum is 10 deviations of √m of them at most, as in
    // sum_error.
    const Terms products = {.count = m, .bound = std::max(1.0, Batch::deviation(c)), .deviation = 0.57735};
    const double scale_grad = sum_error(products) + std::min(m, 10 * 0.57735 * std::sqrt(m)) * normalized;
    if (output == "shift_grad") return {.absolute = shift_grad};
    if (output == "scale_grad") return {.absolute = scale_grad};
    // Three terms of at most 1, 1 and |x̂|, four roundings each, the errors of both sums over m, and of x̂.
    const double bracket = 4 * u * (2 + Batch::deviation(c)) + shift_grad / m +
                           Batch::deviation(c) * scale_grad / m + normalized;
    // Where it is added to another gradient, the sum is rounded as well.
    return {.absolute = Batch::kScale * Batch::largest_invstd(c) * bracket,
            .relative = c.x_grad_mode == GradientMode::kAccumulate ? u : 0};
  }

  /// Per element: four operations for the sums, six for x_grad.
  static double flops(const Case& c) { return 10.0 * static_cast<double>(c.x.elements()); }

  static constexpr double kMargin = 1e-3;  // no activation is nearer to 0

  /// Mean and invstd of the batch as a forward pass would leave them, rounded to fp32. Then moves elements
  /// whose activation is so near 0 that rounding could turn its sign to the channel's mean, where it is the
  /// shift (near it where bf16 rounds the mean): the mask is a step, and no tolerance covers a step.
  static void take_statistics(const Case& c, const Draw& draw, int run, Batch& batch, HostTensor& mean,
                              HostTensor& invstd) {
    const auto channels = static_cast<std::size_t>(c.x[1]),
               elements = static_cast<std::size_t>(c.x.elements());
    const auto first = static_cast<std::size_t>(run);
    const auto x = batch.x.values<float>().subspan(first * elements, elements);
    std::vector<double> sums(channels), squares(channels);
    for (std::size_t i = 0; i < elements; ++i) sums[Batch::channel_of(c, i)] += x[i];
    for (std::size_t i = 0; i < elements; ++i) {
      const double deviation = x[i] - sums[Batch::channel_of(c, i)] / c.count();
      squares[Batch::channel_of(c, i)] += deviation * deviation;
    }
    const auto means = mean.values<float>().subspan(first * channels, channels);
    const auto invstds = invstd.values<float>().subspan(first * channels, channels);
    for (std::size_t k = 0; k < channels; ++k) {
      means[k] = static_cast<float>(sums[k] / c.count());
      invstds[k] = static_cast<float>(1 / std::sqrt(squares[k] / c.count() + double{Batch::kEpsilon}));
    }
    if (c.activation == Activation::kNone) return;
    const auto scale = batch.scale.values<float>().subspan(first * channels, channels);
    const auto shift = batch.shift.values<float>().subspan(first * channels, channels);
    for (std::size_t i = 0; i < elements; ++i) {
      const std::size_t k = Batch::channel_of(c, i);
      const auto activation = [&](float value) {
        return double{scale[k]} * (double{value} - means[k]) * invstds[k] + shift[k];
      };
      if (std::fabs(activation(x[i])) >= kMargin) continue;
      x[i] = c.stored(draw, means[k]);
      require<Error>(std::fabs(activation(x[i])) >= kMargin, "the activation of a channel's mean is {}",
                     activation(x[i]));
    }
  }
};

}  // namespace gnc::tests
