#pragma once
/// Cases of engine/ops/batch_norm_pool.h.

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/ops/batch_norm_pool.h"
#include "tests/ops/cases/batch_norm.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct BatchNormMaxPoolCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  Shape x;                      // [N,C,H,W]
  Activation activation = Activation::kNone;
  double mean_ratio = 1;              // |mean| of a channel over its standard deviation
  bool has_constant_channel = false;  // channel 0 has one value everywhere: its variance is 0
  bool has_statistics = false;        // mean and invstd are given, and some variance

  Shape y() const { return {x[0], x[1], x[2] / 2, x[3] / 2}; }
  double count() const { return norm().count(); }
  /// The normalisation alone.
  BatchNormCase norm() const {
    return {.x = x,
            .activation = activation,
            .mean_ratio = mean_ratio,
            .has_constant_channel = has_constant_channel,
            .has_statistics = has_statistics};
  }
};

/// A batch whose winners and masks no rounding decides, as no tolerance covers a step; within the bounds that
/// BatchNormBatch has.
/// Channel c is mean_c + σ_c·v with σ_c in [0.5, 2], |mean_c| = mean_ratio·σ_c and v one of the five levels
/// 0, ±1/√2, ±√2: of variance 1, ties in most windows. Ties are ties in every precision. Two levels of one
/// channel are σ_c/√2 apart, half of that where bf16 stores x (mean_ratio <= 10): 0.25/(2·√2) = 0.08 or more
/// after a normalisation with |scale| >= 0.25, where bf16 rounds by 2⁻⁹ of at most |scale|·2·√2 + 1, 0.01 at
/// most with that scale. Shifts are such that no activation is nearer to 0 than kMargin.
struct BatchNormMaxPoolBatch {
  static constexpr double kMargin = 0.02;
  static constexpr double kLeastScale = 0.25;

  HostTensor x;
  HostTensor scale;
  HostTensor shift;
  HostTensor mean;    // as a forward pass leaves it, rounded to fp32
  HostTensor invstd;  // likewise

  BatchNormMaxPoolBatch(const BatchNormMaxPoolCase& c, const Draw& draw)
      : x(draw.levels("x", c.x, 5, std::sqrt(0.5))),
        scale(draw.uniform("scale", {c.x[1]}, -BatchNormBatch::kScale + kLeastScale,
                           BatchNormBatch::kScale - kLeastScale)),
        shift(draw.uniform("shift", {c.x[1]}, 0.1, 0.7)),
        mean(draw.nothing({c.x[1]})),
        invstd(draw.nothing({c.x[1]})) {
    const BatchNormCase norm = c.norm();
    const HostTensor spread = Draw(17).uniform("spread", {c.x[1]}, 0.5, BatchNormBatch::kLargestSpread);
    std::size_t flat = 0;
    for (float& value : x.values<float>()) {
      const std::size_t channel = BatchNormBatch::channel_of(norm, flat++);
      const double sigma = spread.values<float>()[channel], sign = channel % 2 == 0 ? 1 : -1;
      value = draw.as_image(c.has_constant_channel && channel == 0 ? BatchNormBatch::kConstant
                                                                   : sigma * (sign * c.mean_ratio + value));
    }
    for (float& value : scale.values<float>()) value += static_cast<float>(std::copysign(kLeastScale, value));
    for (int run = 0; run < draw.runs(); ++run) take_statistics(norm, run);
  }

 private:
  void take_statistics(const BatchNormCase& norm, int run) {
    const auto channels = static_cast<std::size_t>(norm.x[1]),
               elements = static_cast<std::size_t>(norm.x.elements());
    const auto first = static_cast<std::size_t>(run) * channels;
    const auto values = x.values<float>().subspan(static_cast<std::size_t>(run) * elements, elements);
    std::vector<double> sums(channels), squares(channels);
    for (std::size_t i = 0; i < elements; ++i) sums[BatchNormBatch::channel_of(norm, i)] += values[i];
    for (std::size_t i = 0; i < elements; ++i) {
      const std::size_t k = BatchNormBatch::channel_of(norm, i);
      const double deviation = values[i] - sums[k] / norm.count();
      squares[k] += deviation * deviation;
    }
    std::vector<std::vector<double>> normalized(channels);  // before the shift
    for (std::size_t i = 0; i < elements; ++i) {
      const std::size_t k = BatchNormBatch::channel_of(norm, i);
      const double factor = 1 / std::sqrt(squares[k] / norm.count() + double{BatchNormBatch::kEpsilon});
      mean.values<float>()[first + k] = static_cast<float>(sums[k] / norm.count());
      invstd.values<float>()[first + k] = static_cast<float>(factor);
      normalized[k].push_back(double{scale.values<float>()[first + k]} *
                              (values[i] - sums[k] / norm.count()) * factor);
    }
    for (std::size_t k = 0; k < channels; ++k)
      move_away_from_zero(normalized[k], shift.values<float>()[first + k]);
  }

  /// Each of the five levels is in the way of one step at most: the shift stays below 0.7 + 5·0.05 < kShift.
  static void move_away_from_zero(const std::vector<double>& normalized, float& shift) {
    constexpr float kStep = 0.05F;
    static_assert(kStep > 2 * kMargin);
    while (std::ranges::any_of(normalized,
                               [&](double value) { return std::fabs(value + double{shift}) < kMargin; }))
      shift += kStep;
  }
};

template <>
struct OpCases<BatchNormMaxPoolForward> {
  using Case = BatchNormMaxPoolCase;

  static std::span<const Case> cases() {
    constexpr Activation kRelu = Activation::kRelu;
    static const std::vector<Case> table = {
        {.x = {1, 1, 2, 2}, .has_constant_channel = true},
        {.x = {7, 1, 2, 2}, .activation = kRelu},
        {.x = {2, 3, 6, 4}},
        {.x = {2, 3, 4, 6}, .activation = kRelu, .has_constant_channel = true},
        {.x = {3, 19, 4, 4}, .activation = kRelu},
        {.x = {2, 24, 6, 2}},  // in packs of 16 bytes
        {.x = {7, 33, 2, 4}, .activation = kRelu},
        {.x = {3, 12, 28, 28}, .activation = kRelu},
        {.x = {3, 19, 6, 4}, .activation = kRelu, .has_statistics = true},
        {.x = {2, 24, 8, 2}, .has_statistics = true},
        {.x = {2, 3, 32, 32}, .activation = kRelu, .mean_ratio = 10},
        {.x = {5, 64, 16, 16}, .activation = kRelu}};
    return table;
  }

  /// The pools of VGG11 on pictures of 32x32.
  static std::span<const Case> benchmarks() {
    constexpr Activation kRelu = Activation::kRelu;
    static const std::vector<Case> table = {
        {.label = "vgg11.pool1", .x = {256, 64, 32, 32}, .activation = kRelu},
        {.label = "vgg11.pool2", .x = {256, 128, 16, 16}, .activation = kRelu},
        {.label = "vgg11.pool3", .x = {256, 256, 8, 8}, .activation = kRelu},
        {.label = "vgg11.pool4", .x = {256, 512, 4, 4}, .activation = kRelu},
        {.label = "vgg11.pool5", .x = {256, 512, 2, 2}, .activation = kRelu}};
    return table;
  }

  static std::string name(const Case& c) {
    return c.label.empty() ? OpCases<BatchNormForward>::name(c.norm()) : std::string(c.label);
  }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const BatchNormMaxPoolBatch batch(c, draw);
    const Shape channels{c.x[1]};
    Operands operands{
        .runs = draw.runs(),
        .list = {{.name = "x", .values = batch.x, .storage = Storage::kImage},
                 {.name = "scale", .values = batch.scale},
                 {.name = "shift", .values = batch.shift},
                 {.name = "running_mean",
                  .values = draw.uniform("running_mean", channels),
                  .access = Access::kUpdate},
                 {.name = "running_variance",
                  .values = draw.uniform("running_variance", channels, 0.25, 4),
                  .access = Access::kUpdate},
                 {.name = "y",
                  .values = draw.nothing(c.y()),
                  .access = Access::kWrite,
                  .storage = Storage::kImage},
                 {.name = "winner",
                  .values = draw.nothing(c.y(), DType::kU8),
                  .access = Access::kWrite,
                  .storage = Storage::kImage,
                  .zero_reference = is_trivial(c) ? ZeroReference::kIsExpected : ZeroReference::kIsAFault}}};
    const Access access = c.has_statistics ? Access::kRead : Access::kWrite;
    const HostTensor nothing = draw.nothing(channels);
    operands.list.push_back(
        {.name = "mean", .values = c.has_statistics ? batch.mean : nothing, .access = access});
    operands.list.push_back(
        {.name = "invstd", .values = c.has_statistics ? batch.invstd : nothing, .access = access});
    if (c.has_statistics)
      operands.list.push_back({.name = "variance", .values = draw.uniform("variance", channels, 0.25, 4)});
    return operands;
  }

  static BatchNormMaxPoolForward bind(const Case& c, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .scale = operands["scale"],
            .shift = operands["shift"],
            .running_mean = operands["running_mean"],
            .running_variance = operands["running_variance"],
            .mean = operands["mean"],
            .invstd = operands["invstd"],
            .variance = operands["variance"],
            .y = operands["y"],
            .winner = operands["winner"],
            .epsilon = BatchNormBatch::kEpsilon,
            .momentum = 0.1F,
            .activation = c.activation};
  }

  /// Those of the normalisation: the winners are the oracle's, and y are copies of what they were.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    return output == "winner" ? Tolerance{} : OpCases<BatchNormForward>::tolerance(c.norm(), output);
  }

  /// Of the normalisation, and a comparison per place of each window.
  static double flops(const Case& c) {
    return (c.has_statistics ? 5.0 : 9.0) * static_cast<double>(c.x.elements());
  }

 private:
  /// All pixels of the only channel are equal: the first ones win.
  static bool is_trivial(const Case& c) { return c.has_constant_channel && c.x[1] == 1; }
};

template <>
struct OpCases<BatchNormMaxPoolBackward> {
  using Case = BatchNormMaxPoolCase;

  static std::span<const Case> cases() { return OpCases<BatchNormMaxPoolForward>::cases(); }
  static std::span<const Case> benchmarks() { return OpCases<BatchNormMaxPoolForward>::benchmarks(); }
  static std::string name(const Case& c) { return OpCases<BatchNormMaxPoolForward>::name(c); }

  /// Any pixel may be the winner: one that the activation cut off, too.
  static Operands make_inputs(const Case& c, const Draw& draw) {
    const BatchNormMaxPoolBatch batch(c, draw);
    const Shape channels{c.x[1]};
    const bool is_flat = c.has_constant_channel && c.x[1] == 1;  // x̂ is 0 everywhere
    return {.runs = draw.runs(),
            .list = {{.name = "x", .values = batch.x, .storage = Storage::kImage},
                     {.name = "scale", .values = batch.scale},
                     {.name = "shift", .values = batch.shift},
                     {.name = "mean", .values = batch.mean},
                     {.name = "invstd", .values = batch.invstd},
                     {.name = "y_grad", .values = draw.uniform("y_grad", c.y()), .storage = Storage::kImage},
                     {.name = "winner",
                      .values = draw.integers("winner", c.y(), DType::kU8, 4),
                      .storage = Storage::kImage},
                     {.name = "x_grad",
                      .values = draw.nothing(c.x),
                      .access = Access::kWrite,
                      .storage = Storage::kImage},
                     {.name = "scale_grad",
                      .values = draw.nothing(channels),
                      .access = Access::kWrite,
                      .zero_reference = is_flat ? ZeroReference::kIsExpected : ZeroReference::kIsAFault},
                     {.name = "shift_grad", .values = draw.nothing(channels), .access = Access::kWrite}}};
  }

  static BatchNormMaxPoolBackward bind(const Case& c, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .scale = operands["scale"],
            .shift = operands["shift"],
            .mean = operands["mean"],
            .invstd = operands["invstd"],
            .y_grad = operands["y_grad"],
            .winner = operands["winner"],
            .x_grad = operands["x_grad"],
            .scale_grad = operands["scale_grad"],
            .shift_grad = operands["shift_grad"],
            .activation = c.activation};
  }

  /// As BatchNormBackward's, with gradients in a quarter of the pixels.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    using Batch = BatchNormBatch;
    const BatchNormCase norm = c.norm();
    const double u = kUnitRoundoff, m = c.count(), windows = m / 4;
    const double normalized = 2 * u * (Batch::deviation(norm) + Batch::conditioning(norm));
    const double shift_grad = sum_error(uniform_terms(windows)) + u;
    const Terms products = {
        .count = windows, .bound = std::max(1.0, Batch::deviation(norm)), .deviation = 0.57735};
    const double scale_grad =
        sum_error(products) + std::min(windows, 10 * 0.57735 * std::sqrt(windows)) * normalized;
    if (output == "shift_grad") return {.absolute = shift_grad};
    if (output == "scale_grad") return {.absolute = scale_grad};
    const double bracket = 4 * u * (2 + Batch::deviation(norm)) + shift_grad / m +
                           Batch::deviation(norm) * scale_grad / m + normalized;
    return {.absolute = Batch::kScale * Batch::largest_invstd(norm) * bracket};
  }

  /// Of the normalisation, and a comparison per place of each window.
  static double flops(const Case& c) { return 11.0 * static_cast<double>(c.x.elements()); }
};

}  // namespace gnc::tests
