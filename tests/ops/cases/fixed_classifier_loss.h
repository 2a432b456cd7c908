#pragma once
/// Cases of engine/ops/fixed_classifier_loss.h.

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/ops/fixed_classifier_loss.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

struct FixedClassifierLossCase {
  std::string_view label = {};  // of benchmarks; the sizes tell the others apart
  int batch = 1;                // B
  int in_features = 1;          // F
  int feature_dim = 1;          // d
  int classes = 2;              // C
  double frame_scale = 1;       // norm of the frame's rows, about
  // A backend composes it of products, which it rounds to TF32 in that precision; so its cases come twice.
  bool is_composed = false;
  bool is_rounded = false;  // the one for tf32

  /// Largest relative error of a factor: rounded to the 11 significant bits of TF32, or cut off there.
  double factor_error() const { return is_rounded ? 0x1p-10 : 0; }
};

template <>
struct OpCases<FixedClassifierLoss> {
  using Case = FixedClassifierLossCase;

  static std::span<const Case> cases() {
    static const std::vector<Case> table = {
        {.batch = 1, .in_features = 1, .feature_dim = 1, .classes = 1},  // losses and gradients are 0
        {.batch = 1, .in_features = 1, .feature_dim = 1, .classes = 2},
        {.batch = 1, .in_features = 7, .feature_dim = 2, .classes = 3},
        {.batch = 3, .in_features = 5, .feature_dim = 3, .classes = 7, .frame_scale = 30},
        {.batch = 7, .in_features = 65, .feature_dim = 6, .classes = 10},
        {.batch = 33, .in_features = 129, .feature_dim = 9, .classes = 31},
        {.batch = 5, .in_features = 260, .feature_dim = 17, .classes = 33},
        {.batch = 7, .in_features = 40, .feature_dim = 65, .classes = 10, .is_composed = true},
        {.batch = 7, .in_features = 40, .feature_dim = 10, .classes = 129, .is_composed = true},
        {.batch = 1031, .in_features = 7, .feature_dim = 3, .classes = 5, .is_composed = true},
        {.batch = 7,
         .in_features = 40,
         .feature_dim = 65,
         .classes = 10,
         .is_composed = true,
         .is_rounded = true},
        {.batch = 7,
         .in_features = 40,
         .feature_dim = 10,
         .classes = 129,
         .is_composed = true,
         .is_rounded = true},
        {.batch = 1031,
         .in_features = 7,
         .feature_dim = 3,
         .classes = 5,
         .is_composed = true,
         .is_rounded = true},
        {.batch = 7, .in_features = 512, .feature_dim = 6, .classes = 10},     // the paper's, CIFAR-10
        {.batch = 33, .in_features = 512, .feature_dim = 64, .classes = 100},  // CIFAR-100
        {.batch = 35, .in_features = 70, .feature_dim = 64, .classes = 128, .frame_scale = 100},
        {.batch = 1000, .in_features = 66, .feature_dim = 6, .classes = 10}};
    return table;
  }

  static std::span<const Case> benchmarks() {
    static const std::vector<Case> table = {
        {.label = "cifar10", .batch = 256, .in_features = 512, .feature_dim = 6, .classes = 10},
        {.label = "cifar100", .batch = 256, .in_features = 512, .feature_dim = 64, .classes = 100}};
    return table;
  }

  static std::string name(const Case& c) {
    if (!c.label.empty()) return std::string(c.label);
    return fmt::format("{}x{}x{}x{}{}{}", c.batch, c.in_features, c.feature_dim, c.classes,
                       c.frame_scale == 1 ? "" : fmt::format(".scale{}", c.frame_scale),
                       c.is_rounded ? ".rounded" : "");
  }

  static bool is_for(const Case& c, const Backend& backend) {
    return !c.is_composed || c.is_rounded == (backend.precision() == Precision::kTf32);
  }

  /// Weights and bias lie in ±1/√F, as torch.nn.Linear starts; entries of the frame in ±frame_scale·√(3/d).
  static double weight_bound(const Case& c) { return 1 / std::sqrt(c.in_features); }
  static double frame_bound(const Case& c) { return c.frame_scale * std::sqrt(3.0 / c.feature_dim); }

  static Operands make_inputs(const Case& c, const Draw& draw) {
    const Shape x{c.batch, c.in_features}, weights{c.feature_dim, c.in_features}, bias{c.feature_dim};
    const Shape frame{c.classes, c.feature_dim}, samples{c.batch};
    const double w = weight_bound(c), m = frame_bound(c);
    const ZeroReference zeros = c.classes == 1 ? ZeroReference::kIsExpected : ZeroReference::kIsAFault;
    const auto result = [&](std::string_view name, const Shape& shape) {
      return CaseOperand{
          .name = name, .values = draw.nothing(shape), .access = Access::kWrite, .zero_reference = zeros};
    };
    const auto factor = [&](std::string_view name, const HostTensor& values) {
      return CaseOperand{.name = name, .values = values, .is_multiplied = c.is_rounded};
    };
    return {.runs = draw.runs(),
            .list = {factor("x", draw.uniform("x", x)),
                     factor("weights", draw.uniform("weights", weights, -w, w)),
                     {.name = "bias", .values = draw.uniform("bias", bias, -w, w)},
                     factor("frame", draw.uniform("frame", frame, -m, m)),
                     {.name = "labels", .values = draw.integers("labels", samples, DType::kI32, c.classes)},
                     result("losses", samples),
                     result("x_grad", x),
                     result("weights_grad", weights),
                     result("bias_grad", bias)}};
  }

  static FixedClassifierLoss bind(const Case&, const PlacedOperands& operands) {
    return {.x = operands["x"],
            .weights = operands["weights"],
            .bias = operands["bias"],
            .frame = operands["frame"],
            .labels = operands["labels"],
            .losses = operands["losses"],
            .x_grad = operands["x_grad"],
            .weights_grad = operands["weights_grad"],
            .bias_grad = operands["bias_grad"]};
  }

  /// To first order in u, with w and m the bounds of weights and frame, |x| <= 1, and g(n) the growth of a
  /// sum of n terms. Sums of n products with independent factors of mean 0 and bound a are at most a·s(n),
  /// s(n) = min(n, 6·√(n/3)), six standard deviations:
  /// - a feature is a sum of F + 1 terms, |feature| <= Z = w·(s(F) + 1), wrong by
  ///   e_z = w·sum_error(F) + u·Z;
  /// - a logit, |logit| <= L = m·Z·s(d), is wrong by e_l = m·e_z·s(d) and the rounding of its own sum;
  /// - the loss changes by at most 2·e_l with the logits, and adds the roundings of CrossEntropy with
  ///   logit_scale = L; B times its gradient changes by at most 2·e_l in all classes together (Σ p_c·|δl_c −
  ///   Σ p·δl|), and adds (g(C) + 12)·u of p_c + [c = label], whose sum is 2;
  /// - the gradient of a feature, Σ_c gradient_c·M_c <= 2·m/B, is wrong by m/B times that, and by g(C)·u of
  ///   its terms;
  /// - that of x is a sum of d of them times weights; those of weights and bias are sums over the batch,
  /// whose
  ///   errors, not known to be independent, may all have one sign.
  /// Composed and rounded, features, B times the gradient of the logits and that of a feature have the error
  /// of a factor too.
  static Tolerance tolerance(const Case& c, std::string_view output) {
    constexpr double u = kUnitRoundoff;
    const auto likely_sum = [](double n) { return std::min(n, 6 * std::sqrt(n / 3)); };
    const double w = weight_bound(c), m = frame_bound(c);
    const double feature = w * (likely_sum(c.in_features) + 1);
    const double feature_error = w * sum_error(products(c.in_features)) + (u + c.factor_error()) * feature;
    const double logit = m * feature * likely_sum(c.feature_dim);
    const double logit_error =
        m * feature_error * likely_sum(c.feature_dim) + m * feature * sum_error(uniform_terms(c.feature_dim));
    const double softmax_error = (rounding_growth(c.classes) + 5) * u;
    if (output == "losses")
      return {.absolute = 2 * logit_error + softmax_error + 2 * u * (std::log(c.classes) + 2 * logit)};

    const double gradient = 2 * m / c.batch;
    const double gradient_error = gradient * (logit_error + softmax_error + 7 * u +
                                              rounding_growth(c.classes) * u + 2 * c.factor_error());
    if (output == "x_grad")
      return {.absolute = w * (gradient_error * likely_sum(c.feature_dim) +
                               gradient * sum_error(uniform_terms(c.feature_dim)))};
    return {.absolute = c.batch * (gradient_error + gradient * rounding_growth(c.batch) * u)};
  }

  /// Features, logits, and the way back; the second product of the way back gives the weights' gradient.
  static double flops(const Case& c) {
    return 2.0 * c.batch * c.feature_dim * (3.0 * c.in_features + 2.0 * c.classes) +
           5.0 * c.batch * c.classes;
  }
};

}  // namespace gnc::tests
