/// The head of the paper's network: closed forms, the ops it is made of, gradients, broken inputs, errors.
/// Cases: cases/fixed_classifier_loss.h.

#include "engine/ops/fixed_classifier_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops/all.h"
#include "tests/ops/cases/fixed_classifier_loss.h"
#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Cases = OpCases<FixedClassifierLoss>;
using Doubles = std::vector<double>;
using Values = std::span<const double>;

constexpr std::uint64_t kSeed = 20260101;

struct Sizes {
  int batch, in_features, feature_dim, classes;
};

/// What the loss depends on, as one vector each.
struct Point {
  Doubles x, weights, bias, frame;
};

struct Answer {
  Doubles losses, x_grad, weights_grad, bias_grad;

  double mean_loss() const {
    double sum = 0;
    for (const double loss : losses) sum += loss;
    return sum / static_cast<double>(losses.size());
  }
};

/// Sample b has label b mod C.
Answer head(Backend& backend, const Sizes& sizes, const Point& point, DType real = DType::kF32) {
  const auto& [batch, in_features, feature_dim, classes] = sizes;
  Workbench bench(backend, real);
  HostTensor labels(TensorSpec{.shape = {batch}, .dtype = DType::kI32});
  for (int b = 0; b < batch; ++b) labels.values<std::int32_t>()[static_cast<std::size_t>(b)] = b % classes;
  const DeviceTensor device_labels = upload(backend.memory(), labels);
  const FixedClassifierLoss op{.x = bench.tensor({batch, in_features}, point.x),
                               .weights = bench.tensor({feature_dim, in_features}, point.weights),
                               .bias = bench.tensor({feature_dim}, point.bias),
                               .frame = bench.tensor({classes, feature_dim}, point.frame),
                               .labels = device_labels.view(),
                               .losses = bench.empty({batch}),
                               .x_grad = bench.empty({batch, in_features}),
                               .weights_grad = bench.empty({feature_dim, in_features}),
                               .bias_grad = bench.empty({feature_dim})};
  bench.run(op);
  return {bench.values(op.losses), bench.values(op.x_grad), bench.values(op.weights_grad),
          bench.values(op.bias_grad)};
}

Doubles filled(int count, double value) { return Doubles(static_cast<std::size_t>(count), value); }

TEST(FixedClassifierLoss, Of_No_Features_Is_The_Logarithm_Of_The_Number_Of_Classes) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    // The two directions of a line: the gradients of the two samples cancel but for x.
    const Answer answer =
        head(backend, {2, 3, 1, 2},
             {.x = {1, 2, 3, -4, 5, 6}, .weights = {0, 0, 0}, .bias = {0}, .frame = {1, -1}});
    for (const double loss : answer.losses) EXPECT_NEAR(loss, std::log(2.0), 4 * kUnitRoundoff);
    EXPECT_EQ(answer.x_grad, filled(6, 0));
    EXPECT_EQ(answer.weights_grad, (Doubles{-2.5, 1.5, 1.5}));  // ½·(−x₀ + x₁)
    EXPECT_EQ(answer.bias_grad, (Doubles{0}));
  });
}

TEST(FixedClassifierLoss, Of_Two_Opposite_Directions_Is_The_Logistic_Loss) {
  // feature 2·0.5 + 0.25 = 1.25; log(1 + e^−2.5), and σ(−2.5)·2 against the label's direction.
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Answer answer =
        head(backend, {1, 1, 1, 2}, {.x = {2}, .weights = {0.5}, .bias = {0.25}, .frame = {1, -1}});
    const double gradient = -2 / (1 + std::exp(2.5));
    EXPECT_NEAR(answer.losses[0], std::log1p(std::exp(-2.5)), 20 * kUnitRoundoff);
    EXPECT_NEAR(answer.bias_grad[0], gradient, 20 * kUnitRoundoff);
    EXPECT_NEAR(answer.weights_grad[0], 2 * gradient, 40 * kUnitRoundoff);
    EXPECT_NEAR(answer.x_grad[0], 0.5 * gradient, 20 * kUnitRoundoff);
  });
}

TEST(FixedClassifierLoss, Overflows_For_No_Finite_Logits) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Answer answer =
        head(backend, {2, 1, 1, 2}, {.x = {1e30, -1e30}, .weights = {-1}, .bias = {0}, .frame = {1, 0}});
    // Logits (−1e30, 0) with label 0, then (1e30, 0) with label 1.
    EXPECT_EQ(answer.losses, (Doubles{static_cast<double>(1e30F), static_cast<double>(1e30F)}));
    EXPECT_EQ(answer.x_grad, (Doubles{0.5, -0.5}));
    EXPECT_EQ(answer.bias_grad, (Doubles{0}));
  });
}

TEST(FixedClassifierLoss, Of_A_Broken_Sample_Is_NaN_And_Of_The_Others_Is_Not) {
  const Sizes sizes{37, 5, 3, 4};  // more than one block on a GPU
  const Point sound{.x = random_doubles("x", {37, 5}),
                    .weights = random_doubles("weights", {3, 5}),
                    .bias = random_doubles("bias", {3}),
                    .frame = random_doubles("frame", {4, 3})};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Answer expected = head(backend, sizes, sound);
    for (const double broken : {static_cast<double>(NAN), static_cast<double>(INFINITY)})
      for (const std::size_t sample : {0, 36}) {
        SCOPED_TRACE(fmt::format("{} in sample {}", broken, sample));
        Point point = sound;
        point.x[sample * 5 + 2] = broken;
        const Answer answer = head(backend, sizes, point);
        for (std::size_t b = 0; b < 37; ++b) {
          if (b == sample)
            EXPECT_TRUE(std::isnan(answer.losses[b]));
          else
            EXPECT_EQ(answer.losses[b], expected.losses[b]);
          for (std::size_t i = 5 * b; i < 5 * b + 5; ++i) {
            if (b == sample)
              EXPECT_TRUE(std::isnan(answer.x_grad[i]));
            else
              EXPECT_EQ(answer.x_grad[i], expected.x_grad[i]);
          }
        }
        for (const double gradient : answer.weights_grad) EXPECT_TRUE(std::isnan(gradient));
        for (const double gradient : answer.bias_grad) EXPECT_TRUE(std::isnan(gradient));
      }
  });
}

/// The same by the ops that it stands for, as layers would call them.
Outcome composed(Backend& backend, const FixedClassifierLossCase& c, const Operands& operands) {
  const PlacedOperands placed(backend, operands);
  const FixedClassifierLoss op = Cases::bind(c, placed);
  const auto blank = [&](int rows, int columns) {
    return DeviceTensor(backend.memory(), {.shape = Shape({rows, columns}, operands.runs)});
  };
  const DeviceTensor features = blank(c.batch, c.feature_dim), features_grad = blank(c.batch, c.feature_dim);
  const DeviceTensor logits = blank(c.batch, c.classes), logits_grad = blank(c.batch, c.classes);
  backend.run(Gemm{.a = op.x, .b = op.weights, .c = features.view(), .transpose_b = Transpose::kYes});
  backend.run(BiasForward{.bias = op.bias, .y = features.view()});
  backend.run(Gemm{.a = features.view(), .b = op.frame, .c = logits.view(), .transpose_b = Transpose::kYes});
  backend.run(CrossEntropy{
      .logits = logits.view(), .labels = op.labels, .losses = op.losses, .logits_grad = logits_grad.view()});
  backend.run(Gemm{.a = logits_grad.view(), .b = op.frame, .c = features_grad.view()});
  backend.run(
      Gemm{.a = features_grad.view(), .b = op.x, .c = op.weights_grad, .transpose_a = Transpose::kYes});
  backend.run(BiasBackward{.y_grad = features_grad.view(), .bias_grad = op.bias_grad});
  backend.run(Gemm{.a = features_grad.view(), .b = op.weights, .c = op.x_grad});
  backend.synchronize();
  return outcome_of(operands, placed);
}

TEST(FixedClassifierLoss, Equals_The_Ops_It_Stands_For) {
  for_each_backend([](Backend& backend) {
    for (const FixedClassifierLossCase& c : Cases::cases()) {
      SCOPED_TRACE(fmt::format("{}, case {}", backend.name(), Cases::name(c)));
      const Operands operands = Cases::make_inputs(c, Draw(kSeed, 2));
      const Outcome expected = composed(backend, c, operands);
      const Outcome actual = run_case<FixedClassifierLoss>(backend, c, operands);
      for (std::size_t i = 0; i < expected.results.size(); ++i) {
        const Result& wanted = expected.results[i];
        const double bound = 2 * Cases::tolerance(c, wanted.name).absolute;  // both may be wrong
        const Comparison comparison =
            compare(wanted.values, actual.results[i].values, {.absolute = bound}, wanted.zero_reference);
        EXPECT_TRUE(comparison) << wanted.name << ": " << comparison.message;
      }
      if (::testing::Test::HasFailure()) return;
    }
  });
}

TEST(FixedClassifierLoss, Gradients_Are_Those_Of_The_Mean_Loss) {
  for (const Sizes& sizes : {Sizes{1, 2, 1, 2}, Sizes{3, 4, 2, 5}, Sizes{5, 7, 3, 4}}) {
    const auto& [batch, in_features, feature_dim, classes] = sizes;
    SCOPED_TRACE(fmt::format("{} x {} x {} x {}", batch, in_features, feature_dim, classes));
    const Point point{.x = random_doubles("x", {batch, in_features}),
                      .weights = random_doubles("weights", {feature_dim, in_features}),
                      .bias = random_doubles("bias", {feature_dim}),
                      .frame = random_doubles("frame", {classes, feature_dim})};
    const Answer analytic = head(oracle(), sizes, point, DType::kF64);
    const auto check = [&](Doubles Point::*input, const Doubles& gradient) {
      const auto loss = [&](Values at) {
        Point moved = point;
        moved.*input = Doubles(at.begin(), at.end());
        return head(oracle(), sizes, moved, DType::kF64).mean_loss();
      };
      expect_gradient(loss, point.*input, gradient, kCurved);
    };
    check(&Point::x, analytic.x_grad);
    check(&Point::weights, analytic.weights_grad);
    check(&Point::bias, analytic.bias_grad);
  }
}

TEST(FixedClassifierLoss, Leaves_Its_Backend_Ready_For_Any_Other_Size) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const FixedClassifierLossCase small{.batch = 40, .in_features = 70, .feature_dim = 6, .classes = 10};
    const FixedClassifierLossCase large{.batch = 70, .in_features = 300, .feature_dim = 9, .classes = 33};
    const Operands operands = Cases::make_inputs(small, Draw(kSeed));
    const Outcome first = run_case<FixedClassifierLoss>(backend, small, operands);
    run_case<FixedClassifierLoss>(backend, large, Cases::make_inputs(large, Draw(kSeed, 3)));
    const Outcome again = run_case<FixedClassifierLoss>(backend, small, operands);
    for (std::size_t i = 0; i < first.results.size(); ++i)
      EXPECT_TRUE(compare_bits(first.results[i].values, again.results[i].values)) << first.results[i].name;
  });
}

TEST(FixedClassifierLoss, Names_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const FixedClassifierLoss sound{.x = bench.empty({4, 7}),
                                  .weights = bench.empty({3, 7}),
                                  .bias = bench.empty({3}),
                                  .frame = bench.empty({5, 3}),
                                  .labels = bench.integers({4}, DType::kI32, {0, 1, 2, 3}),
                                  .losses = bench.empty({4}),
                                  .x_grad = bench.empty({4, 7}),
                                  .weights_grad = bench.empty({3, 7}),
                                  .bias_grad = bench.empty({3})};
  sound.check();
  const auto expect = [&](auto spoil, std::initializer_list<std::string_view> words) {
    FixedClassifierLoss op = sound;
    spoil(op);
    expect_error<ShapeError>([&] { op.check(); }, words);
  };
  using Op = FixedClassifierLoss;
  expect([](Op& op) { op.bias = {}; }, {"FixedClassifierLoss", "bias is missing"});
  expect([&](Op& op) { op.x = bench.empty({0, 7}); }, {"x ", "[0,7]", "empty"});
  expect([&](Op& op) { op.weights = bench.empty({3, 8}); }, {"weights is [3,8]", "must be [3,7]"});
  expect([&](Op& op) { op.bias = bench.empty({4}); }, {"bias is [4]", "must be [3]"});
  expect([&](Op& op) { op.frame = bench.empty({5, 4}); }, {"frame is [5,4]", "must be [5,3]"});
  expect(
      [&](Op& op) {
        op.labels = bench.integers({3}, DType::kI32, {0, 1, 2});
      },
      {"labels is [3]", "must be [4]"});
  expect([&](Op& op) { op.labels = op.losses; }, {"labels is fp32", "must be int32"});
  expect([&](Op& op) { op.losses = bench.empty({5}); }, {"losses is [5]", "must be [4]"});
  expect([&](Op& op) { op.x_grad = bench.empty({4, 6}); }, {"x_grad is [4,6]", "must be [4,7]"});
  expect([&](Op& op) { op.weights_grad = bench.empty({7, 3}); }, {"weights_grad is [7,3]", "must be [3,7]"});
  expect([&](Op& op) { op.bias_grad = bench.empty({1}); }, {"bias_grad is [1]", "must be [3]"});
  expect([&](Op& op) { op.bias = bench.blank({.shape = {3}, .dtype = DType::kF64}); },
         {"bias is fp64", "must be fp32"});
  expect([&](Op& op) { op.losses = bench.empty(Shape({4}, 2)); }, {"x has 1 runs", "2"});
  const Tensor x = bench.empty({4, 7});
  expect([&](Op& op) { op.x = op.x_grad = x; }, {"x and x_grad are the same memory"});
}

}  // namespace
}  // namespace gnc::tests
