/// Squared error, focal loss and smoothed labels: closed forms, extreme logits, gradients, errors. Cases:
/// cases/classification_losses.h and cases/cross_entropy.h.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/ops/cross_entropy.h"
#include "engine/ops/focal_loss.h"
#include "engine/ops/squared_error.h"
#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;
using Values = std::span<const double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Answer {
  Doubles losses;
  Doubles gradient;
  Doubles predictions;
};

/// The label of sample b is b mod C.
template <class Op>
Answer answer_of(Backend& backend, Op op, const Shape& shape, Values logits, DType real = DType::kF32) {
  Workbench bench(backend, real);
  HostTensor labels(TensorSpec{.shape = {shape[0]}, .dtype = DType::kI32});
  for (int b = 0; b < shape[0]; ++b)
    labels.values<std::int32_t>()[static_cast<std::size_t>(b)] = b % shape[1];
  const DeviceTensor labels_there = upload(backend.memory(), labels);
  const Tensor losses = bench.empty({shape[0]}), gradient = bench.empty(shape);
  const Tensor predictions = bench.blank({.shape = {shape[0]}, .dtype = DType::kI32});
  op.logits = bench.tensor(shape, logits);
  op.labels = labels_there.view();
  op.losses = losses;
  op.logits_grad = gradient;
  op.predictions = predictions;
  bench.run(op);
  return {bench.values(losses), bench.values(gradient), bench.values(predictions)};
}

/// Losses whose operands are given later.
FocalLoss focal(float focusing) {
  FocalLoss op;
  op.focusing = focusing;
  return op;
}

CrossEntropy smoothed(float label_smoothing) {
  CrossEntropy op;
  op.label_smoothing = label_smoothing;
  return op;
}

/// The analytic gradient is that of the mean loss, by finite differences in double.
template <class Op>
void expect_gradient_of_mean(const Op& op, const Shape& shape, double scale) {
  const Doubles logits = random_doubles("logits", shape, -scale, scale);
  const auto mean_loss = [&](Values at) {
    const Answer answer = answer_of(oracle(), op, shape, at, DType::kF64);
    double sum = 0;
    for (const double loss : answer.losses) sum += loss;
    return sum / shape[0];
  };
  expect_gradient(mean_loss, logits, answer_of(oracle(), op, shape, logits, DType::kF64).gradient, kCurved);
}

TEST(SquaredError, Is_The_Mean_Over_Classes_As_PyTorch_Has_It) {
  // Targets (1,0,0) and (0,1,0): residuals (1,−1,0.5) and (−2,0,4), exact in fp32 but for the thirds.
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Answer answer = answer_of(backend, SquaredError{}, {2, 3}, Doubles{2, -1, 0.5, -2, 1, 4});
    EXPECT_NEAR(answer.losses[0], 2.25 / 3, kUnitRoundoff);
    EXPECT_NEAR(answer.losses[1], 20.0 / 3, 8 * kUnitRoundoff);
    const Doubles residuals = {1, -1, 0.5, -2, 0, 4};
    for (std::size_t i = 0; i < 6; ++i)
      EXPECT_NEAR(answer.gradient[i], 2 * residuals[i] / 6, 4 * kUnitRoundoff) << i;
    EXPECT_EQ(answer.predictions, (Doubles{0, 2}));
  });
}

TEST(SquaredError, Vanishes_At_The_Target_And_Tells_Broken_Logits) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Answer perfect = answer_of(backend, SquaredError{}, {2, 2}, Doubles{1, 0, 0, 1});
    EXPECT_EQ(perfect.losses, (Doubles{0, 0}));
    EXPECT_EQ(perfect.gradient, (Doubles{0, 0, 0, 0}));
    const Answer broken =
        answer_of(backend, SquaredError{}, {4, 2}, Doubles{0, NAN, kInfinity, 0, -kInfinity, 0, 1e25, 0});
    EXPECT_TRUE(std::isnan(broken.losses[0]));
    for (const std::size_t b : {1, 2, 3}) EXPECT_EQ(broken.losses[b], kInfinity) << b;
  });
}

TEST(SquaredError, Gradient_Is_That_Of_The_Mean_Loss) {
  for (const Shape& shape : {Shape{1, 1}, Shape{3, 5}}) expect_gradient_of_mean(SquaredError{}, shape, 3);
}

TEST(FocalLoss, Without_Focusing_Is_Cross_Entropy) {
  const Shape shape{7, 10};
  const Doubles logits = random_doubles("logits", shape, -5, 5);
  const Answer plain = answer_of(oracle(), CrossEntropy{}, shape, logits, DType::kF64);
  const Answer focused = answer_of(oracle(), focal(0), shape, logits, DType::kF64);
  for (std::size_t i = 0; i < plain.losses.size(); ++i)
    EXPECT_NEAR(focused.losses[i], plain.losses[i], 1e-14 * (1 + plain.losses[i]));
  for (std::size_t i = 0; i < plain.gradient.size(); ++i)
    EXPECT_NEAR(focused.gradient[i], plain.gradient[i], 1e-15);
  EXPECT_EQ(focused.predictions, plain.predictions);
}

TEST(FocalLoss, Of_Two_Equal_Logits_Is_Known) {
  // p = 1/2: loss 2^−γ·log 2, gradient ±(1/2)·2^−γ·(1 + γ·log 2)/B.
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    for (const float focusing : {0.0F, 0.5F, 1.0F, 2.0F, 5.0F}) {
      const Answer answer = answer_of(backend, focal(focusing), {1, 2}, Doubles{3, 3});
      const double weight = std::exp2(-double{focusing});
      const double slope = weight * (1 + double{focusing} * std::log(2.0)) / 2;
      EXPECT_NEAR(answer.losses[0], weight * std::log(2.0), 12 * kUnitRoundoff) << focusing;
      EXPECT_NEAR(answer.gradient[0], -slope, 24 * kUnitRoundoff * (1 + slope)) << focusing;
      EXPECT_NEAR(answer.gradient[1], slope, 24 * kUnitRoundoff * (1 + slope)) << focusing;
    }
  });
}

TEST(FocalLoss, Does_Not_Cancel_Where_The_Label_Is_Nearly_Certain) {
  // Logits 20 and 0: q = 1/(1 + e^20) = 2.06e-9, far below the unit roundoff of fp32 beside 1. The loss is
  // q^γ·log1p(e^−20), the gradient q·q^γ·(1 + γ·p·log1p(e^−20)/q).
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    for (const float focusing : {0.5F, 2.0F}) {
      const Answer answer = answer_of(backend, focal(focusing), {1, 2}, Doubles{20, 0});
      const double wrong = 1 / (1 + std::exp(20.0)), log_loss = std::log1p(std::exp(-20.0));
      const double weight = std::pow(wrong, double{focusing});
      const double slope = wrong * weight * (1 + double{focusing} * (1 - wrong) * log_loss / wrong);
      const double relative = 60 * kUnitRoundoff;  // exp of −20 alone: 20 + 4 units
      EXPECT_NEAR(answer.losses[0], weight * log_loss, relative * weight * log_loss) << focusing;
      EXPECT_NEAR(answer.gradient[0], -slope, relative * slope) << focusing;
      EXPECT_NEAR(answer.gradient[1], slope, relative * slope) << focusing;
    }
    // All certainty: nothing left to learn, and no 0/0.
    const Answer certain = answer_of(backend, focal(0.5F), {1, 2}, Doubles{1e4, -1e4});
    EXPECT_EQ(certain.losses, (Doubles{0}));
    EXPECT_EQ(certain.gradient, (Doubles{0, 0}));
  });
}

TEST(FocalLoss, Takes_Extreme_Logits_And_Tells_Broken_Ones) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Answer wrong = answer_of(backend, FocalLoss{}, {1, 2}, Doubles{-1e30, 1e30});
    EXPECT_NEAR(wrong.losses[0], 2e30, 1e24);
    EXPECT_EQ(wrong.gradient, (Doubles{-1, 1}));
    const Answer impossible = answer_of(backend, FocalLoss{}, {1, 2}, Doubles{-kInfinity, 0});
    EXPECT_EQ(impossible.losses[0], kInfinity);
    EXPECT_EQ(impossible.gradient, (Doubles{-1, 1}));
    for (const double broken : {static_cast<double>(NAN), kInfinity}) {
      const Answer answer = answer_of(backend, FocalLoss{}, {2, 2}, Doubles{broken, 0, 0, 0});
      EXPECT_TRUE(std::isnan(answer.losses[0])) << broken;
      EXPECT_TRUE(std::isfinite(answer.losses[1])) << "the other sample";
    }
  });
}

TEST(FocalLoss, Gradient_Is_That_Of_The_Mean_Loss) {
  for (const float focusing : {0.0F, 0.5F, 1.0F, 2.0F, 5.0F})
    for (const Shape& shape : {Shape{1, 2}, Shape{3, 5}}) {
      SCOPED_TRACE(focusing);
      expect_gradient_of_mean(focal(focusing), shape, 3);
    }
}

TEST(CrossEntropyWithSmoothedLabels, Is_The_Mixture_Of_The_Label_And_All_Classes) {
  // PyTorch: (1−ε)·nll + ε/C·Σ_c −log p_c. Two classes, logits (d, 0): −log p = log1p(e^−d), log1p(e^d).
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    for (const float smoothing : {0.1F, 0.5F}) {
      const Answer answer = answer_of(backend, smoothed(smoothing), {1, 2}, Doubles{2, 0});
      const double first = std::log1p(std::exp(-2.0)), second = std::log1p(std::exp(2.0)), e = smoothing;
      EXPECT_NEAR(answer.losses[0], (1 - e) * first + e / 2 * (first + second), 20 * kUnitRoundoff);
      const double probability = 1 / (1 + std::exp(-2.0));
      EXPECT_NEAR(answer.gradient[0], probability - (1 - e / 2), 10 * kUnitRoundoff);
      EXPECT_NEAR(answer.gradient[1], 1 - probability - e / 2, 10 * kUnitRoundoff);
    }
  });
}

TEST(CrossEntropyWithSmoothedLabels, Takes_Extreme_Logits_And_Tells_Broken_Ones) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const CrossEntropy op = smoothed(0.5F);
    // Distances (0, 2e30) with weights (3/4, 1/4); the sum of the distances alone would fit as well, three
    // times the largest float would not.
    EXPECT_NEAR(answer_of(backend, op, {1, 2}, Doubles{1e30, -1e30}).losses[0], 0.5e30, 1e24);
    const Answer large = answer_of(backend, op, {1, 4}, Doubles{1e38, -1e38, -1e38, -1e38});
    EXPECT_NEAR(large.losses[0], 0.75e38, 1e32);
    EXPECT_EQ(answer_of(backend, op, {1, 2}, Doubles{0, -kInfinity}).losses[0], kInfinity);
    for (const double broken : {static_cast<double>(NAN), kInfinity}) {
      const Answer answer = answer_of(backend, op, {2, 2}, Doubles{broken, 0, 0, 0});
      EXPECT_TRUE(std::isnan(answer.losses[0])) << broken;
      EXPECT_TRUE(std::isfinite(answer.losses[1])) << "the other sample";
    }
  });
}

TEST(CrossEntropyWithSmoothedLabels, Gradient_Is_That_Of_The_Mean_Loss) {
  for (const Shape& shape : {Shape{1, 2}, Shape{3, 5}}) expect_gradient_of_mean(smoothed(0.25F), shape, 3);
}

TEST(ClassificationLosses, Agree_With_PyTorch) {
  // torch 2.15 in fp64: losses of cross_entropy(label_smoothing=0.25), of mse_loss on one-hot targets
  // averaged over the classes and of −(1−p)²·log p; gradients of their means by autograd.
  const Shape shape{2, 3};
  const Doubles logits = {0.5, -1.25, 2.0, 3.0, -0.75, 0.25};  // labels 0 and 1
  const auto expect = [&](const auto& op, const Doubles& losses, const Doubles& gradient) {
    const Answer answer = answer_of(oracle(), op, shape, logits, DType::kF64);
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(answer.losses[i], losses[i], 1e-15 * 4);
    for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(answer.gradient[i], gradient[i], 1e-15) << i;
  };
  expect(smoothed(0.25F), {1.753455316435366, 3.4379981329024485},
         {-0.3282565756129445, -0.026303296503448446, 0.35455987211639295, 0.41812644551532335,
          -0.40585336910802716, -0.012273076407296277});
  expect(SquaredError{}, {1.9375, 4.041666666666667},
         {-0.16666666666666666, -0.41666666666666663, 0.6666666666666666, 1.0, -0.5833333333333333,
          0.08333333333333333});
  expect(focal(2), {1.1740679931056393, 3.6697991443437386},
         {-0.48650253357729706, 0.01815962526347332, 0.46834290831382364, 0.5147171105198098,
          -0.5476218745218379, 0.032904764002027964});
}

TEST(ClassificationLosses, Name_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const Tensor logits = bench.empty({4, 10}), losses = bench.empty({4});
  const Tensor labels = bench.integers({4}, DType::kI32, {0, 1, 2, 3});
  expect_error<ShapeError>(
      [&] { bench.run(SquaredError{.logits = logits, .labels = losses, .losses = losses}); },
      {"SquaredError", "labels is fp32", "must be int32"});
  expect_error<ShapeError>(
      [&] { bench.run(FocalLoss{.logits = logits, .labels = labels, .losses = bench.empty({5})}); },
      {"FocalLoss", "losses is [5]", "must be [4]"});
  for (const float focusing : {-1.0F, NAN})
    expect_error<ShapeError>(
        [&] {
          bench.run(FocalLoss{.logits = logits, .labels = labels, .losses = losses, .focusing = focusing});
        },
        {"FocalLoss", "focusing", "[0,100]"});
  for (const float smoothing : {-0.1F, 1.0F, NAN})
    expect_error<ShapeError>(
        [&] {
          bench.run(CrossEntropy{
              .logits = logits, .labels = labels, .losses = losses, .label_smoothing = smoothing});
        },
        {"CrossEntropy", "label_smoothing", "[0,1)"});
}

}  // namespace
}  // namespace gnc::tests
