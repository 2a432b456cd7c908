/// Stochastic gradient descent: by hand, errors. Cases: cases/sgd_step.h.

#include "engine/ops/sgd_step.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

TEST(SgdStep, Takes_Two_Steps_As_PyTorch_Does) {
  // torch.optim.SGD(lr=0.5, momentum=0.5, weight_decay=0.25), gradients 2 then 1, value 4:
  //   step 1: d = 2 + 0.25·4 = 3, buffer = d = 3 (PyTorch's first step), value = 4 − 0.5·3 = 2.5;
  //   step 2: d = 1 + 0.25·2.5 = 1.625, buffer = 0.5·3 + 1.625 = 3.125, value = 2.5 − 0.5·3.125 = 0.9375.
  // Powers of two: exact in every precision.
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor values = bench.tensor({2}, {4, -4}), buffer = bench.tensor({2}, {0, 0});
    const auto step = [&](double gradient) {
      bench.run(SgdStep{.values = values,
                        .gradients = bench.tensor({2}, {gradient, -gradient}),
                        .momentum_buffer = buffer,
                        .learning_rate = 0.5F,
                        .momentum = 0.5F,
                        .weight_decay = 0.25F});
    };
    step(2);
    EXPECT_EQ(bench.values(values), (std::vector<double>{2.5, -2.5}));
    EXPECT_EQ(bench.values(buffer), (std::vector<double>{3, -3}));
    step(1);
    EXPECT_EQ(bench.values(values), (std::vector<double>{0.9375, -0.9375}));
    EXPECT_EQ(bench.values(buffer), (std::vector<double>{3.125, -3.125}));
  });
}

TEST(SgdStep, With_Nesterovs_Momentum_Looks_A_Step_Ahead) {
  // As above with nesterov=True: step 1 goes along 3 + 0.5·3 = 4.5 to 1.75; step 2: d = 1 + 0.25·1.75
  // = 1.4375, buffer = 0.5·3 + 1.4375 = 2.9375, along 1.4375 + 0.5·2.9375 = 2.90625, value = 1.75 − 1.453125.
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor values = bench.tensor({1}, {4}), buffer = bench.tensor({1}, {0});
    for (const double gradient : {2.0, 1.0})
      bench.run(SgdStep{.values = values,
                        .gradients = bench.tensor({1}, {gradient}),
                        .momentum_buffer = buffer,
                        .learning_rate = 0.5F,
                        .momentum = 0.5F,
                        .weight_decay = 0.25F,
                        .momentum_kind = MomentumKind::kNesterov});
    EXPECT_EQ(bench.values(values), (std::vector<double>{0.296875}));
    EXPECT_EQ(bench.values(buffer), (std::vector<double>{2.9375}));
  });
}

TEST(SgdStep, Without_Momentum_And_Decay_Follows_The_Gradient) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor values = bench.tensor({3}, {1, 2, 3}), buffer = bench.tensor({3}, {7, 7, 7});
    bench.run(SgdStep{.values = values,
                      .gradients = bench.tensor({3}, {4, 0, -8}),
                      .momentum_buffer = buffer,
                      .learning_rate = 0.25F});
    EXPECT_EQ(bench.values(values), (std::vector<double>{0, 2, 5}));
    EXPECT_EQ(bench.values(buffer), (std::vector<double>{4, 0, -8}));
  });
}

TEST(SgdStep, Leaves_What_Would_Not_Be_Finite_And_Raises_The_Flag_Of_Its_Run) {
  constexpr double kInf = std::numeric_limits<double>::infinity(),
                   kNaN = std::numeric_limits<double>::quiet_NaN();
  for_each_backend([](Backend& backend) {
    for (const MomentumKind kind : {MomentumKind::kClassical, MomentumKind::kNesterov}) {
      SCOPED_TRACE(backend.name());
      Workbench bench(backend);
      // Run 0: a gradient that is not a number, an infinite one, a momentum that overflows (2·3e38), a value
      // that does (3e38 − 4·(−3e38)), and one that moves: 1 − 4·2 = −7, with Nesterov 1 − 4·(2 + 1·2) = −15.
      // Run 1: finite.
      const Shape shape({5}, 2);
      const Tensor values = bench.tensor(shape, {1, 2, 3, 3e38, 1, 1, 1, 1, 1, 1});
      const Tensor buffer = bench.tensor(shape, {5, 6, 3e38, 0, 0, 0, 0, 0, 0, 0});
      const Tensor flags = bench.integers(Shape({1}, 2), DType::kI32, {0, 0});
      bench.run(SgdStep{.values = values,
                        .gradients = bench.tensor(shape, {kNaN, kInf, 3e38, -3e38, 2, 1, 1, 1, 1, 1}),
                        .momentum_buffer = buffer,
                        .non_finite = flags,
                        .learning_rate = 4,
                        .momentum = 1,
                        .momentum_kind = kind});
      const bool is_nesterov = kind == MomentumKind::kNesterov;
      const double moved = is_nesterov ? -15 : -7, other = is_nesterov ? -7 : -3;
      const auto stored = [](double x) { return static_cast<double>(static_cast<float>(x)); };
      EXPECT_EQ(bench.values(values),
                (std::vector<double>{1, 2, 3, stored(3e38), moved, other, other, other, other, other}));
      EXPECT_EQ(bench.values(buffer), (std::vector<double>{5, 6, stored(3e38), 0, 2, 1, 1, 1, 1, 1}));
      EXPECT_EQ(bench.values(flags), (std::vector<double>{1, 0}));
    }
  });
}

TEST(SgdStep, Leaves_Single_Elements_Of_A_Vector_And_Moves_Their_Neighbours) {
  // All elements go from 1 along 2 by half of it to 0; powers of two, exact in every precision. The bad ones
  // lie in the first and the last lane of vectors, beside each other, and in what is left over at the end.
  constexpr int kElements = 1031;
  const std::vector<std::size_t> bad = {0, 7, 8, 9, 255, 256, 512, 1023, 1024, 1030};
  for_each_backend([&](Backend& backend) {
    for (const MomentumKind kind : {MomentumKind::kClassical, MomentumKind::kNesterov}) {
      SCOPED_TRACE(backend.name());
      Workbench bench(backend);
      const double moved = kind == MomentumKind::kNesterov ? -1 : 0;  // 1 − 0.5·(2 + 1·2)
      std::vector<double> gradients(kElements, 2), values(kElements, moved), momenta(kElements, 2);
      for (std::size_t i = 0; i < bad.size(); ++i) {
        gradients[bad[i]] =
            i % 2 == 0 ? std::numeric_limits<double>::quiet_NaN() : -std::numeric_limits<double>::infinity();
        values[bad[i]] = 1;
        momenta[bad[i]] = 0;
      }
      const Tensor moving = bench.tensor({kElements}, std::vector<double>(kElements, 1));
      const Tensor buffer = bench.tensor({kElements}, std::vector<double>(kElements, 0));
      const Tensor flag = bench.integers(Shape({1}), DType::kI32, {0});
      const SgdStep step{.values = moving,
                         .gradients = bench.tensor({kElements}, gradients),
                         .momentum_buffer = buffer,
                         .non_finite = flag,
                         .learning_rate = 0.5F,
                         .momentum = 1,
                         .momentum_kind = kind};
      bench.run(step);
      EXPECT_EQ(bench.values(moving), values);
      EXPECT_EQ(bench.values(buffer), momenta);
      EXPECT_EQ(bench.values(flag), (std::vector<double>{1}));
    }
  });
}

TEST(SgdStep, Leaves_A_Run_With_A_Loss_That_Is_Not_Finite_As_It_Was) {
  // More losses than a block of the kernel has threads; the bad one is the first, or the last.
  constexpr int kElements = 1031, kLosses = 300;
  constexpr auto kLast = std::size_t{2 * kLosses - 1};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Shape shape({kElements}, 3);
    const std::vector<double> ones(3 * kElements, 1);
    std::vector<double> losses(3 * kLosses, 2), moved(3 * kElements, 0), rounded(3 * kElements, 0);
    losses[0] = std::numeric_limits<double>::quiet_NaN();
    losses[kLast] = -std::numeric_limits<double>::infinity();
    // The last run goes from 1 along 2 by half of it to 0; nothing is raised, all elements being finite.
    std::fill_n(moved.begin(), 2 * kElements, 1);
    std::fill_n(rounded.begin(), 2 * kElements, 7);
    const Tensor values = bench.tensor(shape, ones), buffer = bench.tensor(shape, ones);
    const Tensor copy = bench.blank({.shape = shape, .dtype = DType::kBf16});
    bench.run(ConvertLayout{.x = bench.tensor(shape, std::vector<double>(3 * kElements, 7)), .y = copy});
    const Tensor flags = bench.integers(Shape({1}, 3), DType::kI32, {0, 0, 0});
    bench.run(SgdStep{.values = values,
                      .gradients = bench.tensor(shape, ones),
                      .momentum_buffer = buffer,
                      .bf16_values = copy,
                      .losses = bench.tensor(Shape({kLosses}, 3), losses),
                      .non_finite = flags,
                      .learning_rate = 0.5F,
                      .momentum = 1});
    EXPECT_EQ(bench.values(values), moved);
    EXPECT_EQ(bench.values(copy), rounded);
    std::fill_n(moved.begin() + 2 * kElements, kElements, 2);
    EXPECT_EQ(bench.values(buffer), moved);
    EXPECT_EQ(bench.values(flags), (std::vector<double>{0, 0, 0}));
  });
}

TEST(SgdStep, Names_What_Does_Not_Fit) {
  Workbench bench(backend_named("reference"));
  const Tensor values = bench.empty({5}), four = bench.empty({4});
  expect_error<ShapeError>(
      [&] { bench.run(SgdStep{.values = values, .gradients = four, .momentum_buffer = values}); },
      {"SgdStep", "gradients is [4]", "must be [5]"});
  expect_error<ShapeError>(
      [&] { bench.run(SgdStep{.values = values, .gradients = values, .momentum_buffer = {}}); },
      {"SgdStep", "momentum_buffer is missing"});
  expect_error<ShapeError>(
      [&] {
        bench.run(
            SgdStep{.values = values, .gradients = values, .momentum_buffer = values, .non_finite = four});
      },
      {"SgdStep", "non_finite is [4]", "must be [1]"});
  const Tensor matrix = bench.empty({2, 3});
  expect_error<ShapeError>(
      [&] {
        bench.run(
            SgdStep{.values = values, .gradients = values, .momentum_buffer = values, .losses = matrix});
      },
      {"SgdStep", "losses is [2,3]", "must be [2]"});
}

}  // namespace
}  // namespace gnc::tests
