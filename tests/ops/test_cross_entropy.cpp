/// Softmax cross-entropy: closed forms, extreme logits, gradient, errors. Cases: cases/cross_entropy.h.

#include "engine/ops/cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;
using Values = std::span<const double>;

struct Answer {
  Doubles losses;
  Doubles gradient;
  Doubles predictions;
};

Answer cross_entropy(Backend& backend, const Shape& shape, Values logits, std::initializer_list<int> labels,
                     DType real = DType::kF32) {
  Workbench bench(backend, real);
  const Tensor losses = bench.empty({shape[0]}), gradient = bench.empty(shape);
  const Tensor predictions = bench.blank({.shape = {shape[0]}, .dtype = DType::kI32});
  bench.run(CrossEntropy{.logits = bench.tensor(shape, logits),
                         .labels = bench.integers({shape[0]}, DType::kI32, labels),
                         .losses = losses,
                         .logits_grad = gradient,
                         .predictions = predictions});
  return {bench.values(losses), bench.values(gradient), bench.values(predictions)};
}

TEST(CrossEntropy, Of_Equal_Logits_Is_The_Logarithm_Of_The_Number_Of_Classes) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    for (const int classes : {1, 2, 10, 100, 1031}) {
      for (const double logit : {0.0, -3.0, 1e6}) {
        const Doubles logits(static_cast<std::size_t>(classes), logit);
        const Answer answer = cross_entropy(backend, {1, classes}, logits, {classes - 1});
        const double expected = std::log(classes);
        // The sum of C ones is exact; the logarithm is rounded, by a last place or two.
        EXPECT_NEAR(answer.losses[0], expected, 4 * kUnitRoundoff * expected)
            << classes << " logits of " << logit;
        EXPECT_NEAR(answer.gradient[0], classes == 1 ? 0.0 : 1.0 / classes, 4 * kUnitRoundoff);
        EXPECT_EQ(answer.predictions[0], 0);
      }
    }
  });
}

TEST(CrossEntropy, Of_Two_Classes_Is_The_Logistic_Loss) {
  // log(1 + e^d) with d the other logit less the label's; gradient ±σ(d)/B.
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Answer answer = cross_entropy(backend, {2, 2}, Doubles{1, 3, -2, -2.5}, {0, 0});
    const double first = std::exp(2.0) / (1 + std::exp(2.0)), second = std::exp(-0.5) / (1 + std::exp(-0.5));
    EXPECT_NEAR(answer.losses[0], std::log1p(std::exp(2.0)), 20 * kUnitRoundoff);
    EXPECT_NEAR(answer.losses[1], std::log1p(std::exp(-0.5)), 20 * kUnitRoundoff);
    const Doubles expected = {-first / 2, first / 2, -second / 2, second / 2};
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(answer.gradient[i], expected[i], 20 * kUnitRoundoff);
    EXPECT_EQ(answer.predictions, (Doubles{1, 0}));
  });
}

TEST(CrossEntropy, Overflows_For_No_Finite_Logits) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Answer answer = cross_entropy(backend, {2, 3}, Doubles{1e30, 0, -1e30, 1e4, 1e4, -1e4}, {1, 0});
    EXPECT_EQ(answer.losses[0], static_cast<double>(1e30F));
    EXPECT_NEAR(answer.losses[1], std::log(2.0), 4 * kUnitRoundoff);
    EXPECT_EQ(answer.gradient, (Doubles{0.5, -0.5, 0, -0.25, 0.25, 0}));
  });
}

TEST(CrossEntropy, Of_A_Broken_Logit_Is_NaN) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    for (const double broken : {static_cast<double>(NAN), static_cast<double>(INFINITY)})
      for (const std::size_t place : {0, 1, 2}) {
        Doubles logits = {1, 2, 3, 1, 2, 3};
        logits[place] = broken;
        const Answer answer = cross_entropy(backend, {2, 3}, logits, {1, 1});
        EXPECT_TRUE(std::isnan(answer.losses[0])) << broken << " at " << place;
        EXPECT_TRUE(std::isfinite(answer.losses[1])) << "the other sample";
      }
    // Minus infinity is a probability of zero, no error.
    const Answer answer = cross_entropy(backend, {1, 3}, Doubles{0, -INFINITY, 0}, {0});
    EXPECT_NEAR(answer.losses[0], std::log(2.0), 4 * kUnitRoundoff);
    EXPECT_EQ(answer.gradient, (Doubles{-0.5, 0, 0.5}));
  });
}

TEST(CrossEntropy, Predicts_The_First_Of_The_Largest_Logits) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Answer answer =
        cross_entropy(backend, {3, 4}, Doubles{1, 5, 5, 2, -3, -1, -2, -1, 0, 0, 0, 0}, {0, 1, 2});
    EXPECT_EQ(answer.predictions, (Doubles{1, 1, 0}));
  });
}

TEST(CrossEntropy, Gradient_Is_That_Of_The_Mean_Loss) {
  for (const auto& [batch, classes] : std::vector<std::pair<int, int>>{{1, 2}, {3, 5}, {7, 10}}) {
    SCOPED_TRACE(fmt::format("{} x {}", batch, classes));
    const Shape shape{batch, classes};
    const Doubles logits = random_doubles("logits", shape, -3, 3);
    const auto mean_loss = [&, batch = batch](Values at) {
      Workbench bench(oracle(), DType::kF64);
      const Tensor losses = bench.empty({batch});
      HostTensor labels(TensorSpec{.shape = {batch}, .dtype = DType::kI32});
      for (int b = 0; b < batch; ++b)
        labels.values<std::int32_t>()[static_cast<std::size_t>(b)] = b % shape[1];
      const DeviceTensor device_labels = upload(oracle().memory(), labels);
      const Tensor gradient = bench.empty(shape);
      bench.run(CrossEntropy{.logits = bench.tensor(shape, at),
                             .labels = device_labels.view(),
                             .losses = losses,
                             .logits_grad = gradient});
      double sum = 0;
      for (const double loss : bench.values(losses)) sum += loss;
      return std::pair(sum / batch, bench.values(gradient));
    };
    const Doubles analytic = mean_loss(logits).second;
    expect_gradient([&](Values at) { return mean_loss(at).first; }, logits, analytic, kCurved);
    // Moving all logits of a sample together changes nothing.
    for (int b = 0; b < batch; ++b) {
      double sum = 0;
      for (int c = 0; c < classes; ++c) sum += analytic[static_cast<std::size_t>(b * classes + c)];
      EXPECT_NEAR(sum, 0, 1e-15);
    }
  }
}

TEST(CrossEntropy, Names_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const Tensor logits = bench.empty({4, 10}), losses = bench.empty({4});
  const Tensor labels = bench.integers({4}, DType::kI32, {0, 1, 2, 3});
  expect_error<ShapeError>(
      [&] {
        bench.run(CrossEntropy{
            .logits = logits, .labels = bench.integers({3}, DType::kI32, {0, 1, 2}), .losses = losses});
      },
      {"CrossEntropy", "labels is [3]", "must be [4]"});
  expect_error<ShapeError>(
      [&] { bench.run(CrossEntropy{.logits = logits, .labels = losses, .losses = losses}); },
      {"CrossEntropy", "labels is fp32", "must be int32"});
  expect_error<ShapeError>(
      [&] {
        bench.run(CrossEntropy{
            .logits = logits, .labels = labels, .losses = losses, .logits_grad = bench.empty({4, 9})});
      },
      {"CrossEntropy", "logits_grad is [4,9]", "must be [4,10]"});
  expect_error<ShapeError>(
      [&] {
        bench.run(CrossEntropy{.logits = bench.empty({0, 10}), .labels = labels, .losses = losses});
      },
      {"CrossEntropy", "[0,10]", "empty"});
}

}  // namespace
}  // namespace gnc::tests
