/// Steps of attacks: by hand, signs, extreme logits, gradient, errors. Cases: cases/adversarial.h.

#include "engine/ops/adversarial.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(LogOddsGradient, Is_The_Gradient_Of_The_Log_Odds) {
  const Shape shape{2, 4};
  const Doubles logits = random_doubles("logits", shape, -3, 3);
  const std::vector<std::size_t> labels = {2, 0};
  const auto log_odds = [&](std::span<const double> z) {
    double total = 0;
    for (std::size_t b = 0; b < 2; ++b) {
      double sum = 0;
      for (std::size_t k = 0; k < 4; ++k)
        if (k != labels[b]) sum += std::exp(z[b * 4 + k] - z[b * 4 + labels[b]]);
      total += std::log(sum);
    }
    return total;
  };
  Workbench bench(oracle(), DType::kF64);
  const Tensor gradient = bench.empty(shape);
  bench.run(LogOddsGradient{.logits = bench.tensor(shape, logits),
                            .labels = bench.integers({2}, DType::kI32, {2, 0}),
                            .margins = bench.tensor({2}, {kInfinity, kInfinity}),
                            .logits_grad = gradient});
  expect_gradient(log_odds, logits, bench.values(gradient), kCurved);
}

TEST(LogOddsGradient, Is_There_Where_That_Of_Cross_Entropy_Is_Zero) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor logits = bench.tensor({1, 3}, {200, 0, -100}),
                 labels = bench.integers({1}, DType::kI32, {0});
    const Tensor of_loss = bench.empty({1, 3}), of_odds = bench.empty({1, 3});
    const Tensor margins = bench.tensor({1}, {kInfinity});
    bench.run(
        CrossEntropy{.logits = logits, .labels = labels, .losses = bench.empty({1}), .logits_grad = of_loss});
    EXPECT_EQ(bench.values(of_loss), (Doubles{0, 0, 0}));
    bench.run(
        LogOddsGradient{.logits = logits, .labels = labels, .margins = margins, .logits_grad = of_odds});
    // e^{-100} beside 1.
    const Doubles gradient = bench.values(of_odds);
    EXPECT_EQ(gradient[0], -1);
    EXPECT_EQ(gradient[1], 1);
    EXPECT_LT(gradient[2], 1e-40);
    EXPECT_EQ(bench.values(margins), (Doubles{200}));
  });
}

TEST(LogOddsGradient, Keeps_The_Least_Margin_And_Does_Not_Hide_NaN) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor margins = bench.tensor({3}, {1, kInfinity, 1});
    bench.run(LogOddsGradient{.logits = bench.tensor({3, 3}, {5, 1, 3, 1, 4, 2, 1, NAN, 3}),
                              .labels = bench.integers({3}, DType::kI32, {0, 2, 0}),
                              .margins = margins,
                              .logits_grad = {}});
    Doubles least = bench.values(margins);
    EXPECT_EQ(least[0], 1);  // not 2
    EXPECT_EQ(least[1], -2);
    EXPECT_TRUE(std::isnan(least[2]));
    // Another iterate, where the third row has numbers again.
    bench.run(LogOddsGradient{.logits = bench.tensor({3, 3}, {0, 1, 3, 1, 4, 5, 9, 1, 3}),
                              .labels = bench.integers({3}, DType::kI32, {0, 2, 0}),
                              .margins = margins,
                              .logits_grad = {}});
    least = bench.values(margins);
    EXPECT_EQ(least[0], -3);
    EXPECT_EQ(least[1], -2);
    EXPECT_TRUE(std::isnan(least[2])) << "what was NaN once is not known to be right";
  });
}

TEST(ProjectedStep, Keeps_To_Ball_And_Box_As_By_Hand) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Shape shape{1, 1, 1, 6};
    // Pixels: free; at the ball; at the lower and upper side of the box; no gradient; a scale below zero,
    // which turns the gradient round.
    const Tensor pictures = bench.image(shape, {0.5, 0.6875, 0.0625, 0.9375, 0.5, 0.5});
    const Tensor x = bench.empty_image(shape);
    ProjectedStep op{.clean = bench.image(shape, {0.5, 0.5, 0.0625, 0.9375, 0.5, 0.5}),
                     .direction = bench.image(shape, {3, 1, -2, 0.5, 0, 1}),
                     .scale = bench.image(shape, {2, 2, 2, 2, 2, -2}),
                     .offset = bench.image(shape, {1, 1, 1, 1, 1, 1}),
                     .pictures = pictures,
                     .x = x,
                     .size = 0.125,
                     .radius = 0.25};
    bench.run(op);
    EXPECT_EQ(bench.values(pictures), (Doubles{0.625, 0.75, 0, 1, 0.5, 0.375}));
    EXPECT_EQ(bench.values(x), (Doubles{2.25, 2.5, 1, 3, 2, 0.25}));
    op.kind = StepDirection::kAsItIs;
    bench.run(op);
    EXPECT_EQ(bench.values(pictures), (Doubles{0.75, 0.75, 0, 1, 0.5, 0.5}));
  });
}

TEST(NearestBoundary, Takes_The_Nearest_As_By_Hand) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Shape shape{2, 1, 1, 2}, rows{2, 3};
    const Tensor logits = bench.tensor(rows, {7, 2, 1, 7, 2, 1});
    const Tensor scale = bench.image({1, 1, 1, 2}, {2, 1});
    const Tensor distances = bench.empty({2}), steps = bench.empty_image(shape);
    const auto look_at = [&](std::initializer_list<double> difference, std::initializer_list<double> gradient,
                             Candidate candidate) {
      bench.run(NearestBoundary{.logits = logits,
                                .difference = bench.tensor(rows, difference),
                                .gradient = bench.image(shape, gradient),
                                .scale = scale,
                                .distances = distances,
                                .steps = steps,
                                .candidate = candidate});
    };
    // f = −5 twice; w = (6, 8) and nothing.
    look_at({-1, 1, 0, -1, 1, 0}, {3, 8, 0, 0}, Candidate::kFirst);
    EXPECT_EQ(bench.values(distances), (Doubles{0.5, kInfinity}));
    const Doubles first = bench.values(steps);
    EXPECT_FLOAT_EQ(static_cast<float>(first[0]), 0.3F);  // 5/100·6
    EXPECT_FLOAT_EQ(static_cast<float>(first[1]), 0.4F);
    EXPECT_EQ(first[2], 0);
    EXPECT_EQ(first[3], 0);
    // f = −6; w = (0, 8): 0.75, farther than the first, nearer than none.
    look_at({-1, 0, 1, -1, 0, 1}, {0, 8, 0, 8}, Candidate::kNext);
    EXPECT_EQ(bench.values(distances), (Doubles{0.5, 0.75}));
    const Doubles second = bench.values(steps);
    EXPECT_EQ(second[0], first[0]);
    EXPECT_EQ(second[2], 0);
    EXPECT_EQ(second[3], 0.75);
  });
}

TEST(BoundaryStep, Moves_Those_That_Are_Not_Over_As_By_Hand) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Shape shape{2, 1, 1, 2};
    const Tensor perturbation = bench.image(shape, {1, 0, 3, 4}), x = bench.empty_image(shape);
    const Tensor norms = bench.empty({2});
    bench.run(BoundaryStep{.clean = bench.image(shape, {0.5, 0.25, 0.5, 0.25}),
                           .steps = bench.image(shape, {2, 4, 2, 4}),
                           .scale = bench.image({1, 1, 1, 2}, {2, 1}),
                           .offset = bench.image({1, 1, 1, 2}, {0, -1}),
                           .predictions = bench.integers({2}, DType::kI32, {1, 0}),
                           .classes = bench.integers({2}, DType::kI32, {1, 1}),
                           .perturbation = perturbation,
                           .norms = norms,
                           .x = x,
                           .overshoot = 0.5});
    EXPECT_EQ(bench.values(perturbation), (Doubles{3, 4, 3, 4}));
    EXPECT_EQ(bench.values(norms), (Doubles{5, 5}));
    EXPECT_EQ(bench.values(x), (Doubles{10, 5.25, 10, 5.25}));
  });
}

TEST(Adversarial, Names_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const Tensor images = bench.empty_image({2, 3, 4, 4}), norm = bench.empty_image({1, 3, 4, 4});
  ProjectedStep step{.clean = images,
                     .direction = images,
                     .scale = norm,
                     .offset = bench.empty_image({1, 3, 4, 5}),
                     .pictures = images,
                     .x = images};
  expect_error<ShapeError>([&] { bench.run(step); },
                           {"ProjectedStep", "offset is [1,3,4,5]", "must be [1,3,4,4]"});
  expect_error<ShapeError>(
      [&] {
        bench.run(LogOddsGradient{.logits = bench.empty({2, 1}),
                                  .labels = bench.integers({2}, DType::kI32, {0, 0}),
                                  .margins = bench.empty({2}),
                                  .logits_grad = {}});
      },
      {"LogOddsGradient", "[2,1]", "two classes or more"});
}

}  // namespace
}  // namespace gnc::tests
