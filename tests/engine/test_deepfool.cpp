/// DeepFool on linear networks: the distance to the nearest boundary is known.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/attacks/robustness.h"
#include "engine/run_divergence.h"
#include "tests/engine/linear_problem.h"

namespace gnc::tests {
namespace {

TEST(DeepFool, Gives_The_Distance_To_The_Nearest_Boundary_Of_A_Linear_Network) {
  for_each_precision([](Backend& backend, DType dtype) {
    constexpr int kClasses = 4;
    LinearProblem problem(backend, dtype, kClasses, 0, 1);
    const std::vector<double> all = deepfool_distances(problem.target(), {});
    DeepFool attack(problem.target(), {});
    attack.evaluate();
    attack.begin();
    for (int iteration = 0; iteration < 2; ++iteration) {
      EXPECT_FALSE(attack.iterations() > 0 && attack.is_done()) << "before the boundaries were crossed";
      attack.iterate();
    }
    EXPECT_TRUE(attack.is_done());  // the second one found them crossed
    EXPECT_EQ(attack.distances(), all);
    for (int run = 0; run < kRuns; ++run)
      for (int b = 0; b < kBatch; ++b) {
        const double expected = problem.distances(run, b).front();
        double least_slope = kInfinity;
        for (int k = 1; k < kClasses; ++k)
          for (int j = 0; j < k; ++j) {
            double square = 0;
            for (int i = 0; i < kPixels; ++i) square += std::pow(problem.slope(run, k, j, i), 2);
            least_slope = std::min(least_slope, std::sqrt(square));
          }
        EXPECT_NEAR(all[static_cast<std::size_t>(run * kBatch + b)], expected,
                    problem.rounding() * (expected + 1 / least_slope))
            << "run " << run << ", picture " << b;
      }
  });
}

/// The slope w of the boundary is rounded to bf16, so a step is |f|/|w| within u of it, and the nearest
/// boundary may be one that is farther by 2u. So is x behind the step, which may leave the picture short of
/// the boundary by Σ|W_k − W_j|·u·|x| at most; each further iteration then moves it by no more than that over
/// |w|. What fp32 does before x is rounded moves f by at most two such roundings more.
TEST(DeepFool, In_Bf16_Is_Within_The_Rounding_Of_What_The_Network_Sees) {
  constexpr int kClasses = 4, kIterations = 4;
  for (const BackendChoice& choice : backend_choices()) {
    if (choice.precision != Precision::kBf16) continue;
    SCOPED_TRACE(choice.to_string());
    LinearProblem problem(backend_named(choice.device, choice.precision), DType::kF32, kClasses, 0, 1);
    const double u = problem.image_rounding();
    int telling = 0;  // pictures that are not next to a boundary
    const std::vector<double> found = deepfool_distances(problem.target(), {.iterations = kIterations});
    for (int run = 0; run < kRuns; ++run)
      for (int b = 0; b < kBatch; ++b) {
        const double expected = problem.distances(run, b).front();
        double farthest = 0;
        for (int k = 1; k < kClasses; ++k)
          for (int j = 0; j < k; ++j) {
            double square = 0, shift = 0;
            for (int i = 0; i < kPixels; ++i) {
              square += std::pow(problem.slope(run, k, j, i), 2);
              // Pictures move by less than their distance: |x| at most that much more, times a scale of 4.
              const double x = std::abs(problem.seen(problem.u(b, i), i)) + 4 * 2 * expected;
              shift += std::abs(problem.weight(run, k, i) - problem.weight(run, j, i)) * u * x;
            }
            farthest = std::max(farthest, shift / std::sqrt(square));
          }
        const double distance = found[static_cast<std::size_t>(run * kBatch + b)];
        EXPECT_NEAR(distance, expected, 2 * u * expected + (kIterations + 1) * farthest)
            << "run " << run << ", picture " << b;
        telling += (kIterations + 1) * farthest < 0.5 * expected ? 1 : 0;
      }
    EXPECT_GE(telling, kRuns * kBatch / 2) << "the bound says nothing";
  }
}

TEST(DeepFool, Says_Where_It_Found_No_Boundary) {
  LinearProblem problem(backend_named("reference"), DType::kF64, 4, 0, 1);
  for (const double distance : deepfool_distances(problem.target(), {.iterations = 0}))
    EXPECT_EQ(distance, kInfinity);
}

TEST(DeepFool, Names_The_Run_Whose_Logits_Are_Not_Finite) {
  for_each_precision([](Backend& backend, DType dtype) {
    for (const double broken : {kInfinity, std::numeric_limits<double>::quiet_NaN()})
      for (int run = 0; run < kRuns; ++run) {
        LinearProblem problem(backend, dtype, 4, 0, 1);
        problem.set_bias(run, 3, broken);
        try {
          deepfool_distances(problem.target(), {});
          FAIL() << "logits of " << broken << " were attacked";
        } catch (const RunDivergenceError& error) {
          EXPECT_EQ(error.run(), run);
          EXPECT_STREQ(error.what(), "DeepFool: the network gives logits that are not finite");
        }
      }
  });
}

TEST(DeepFool, Looks_At_The_Likeliest_Classes_Only_When_Told_So) {
  constexpr int kClasses = 30;
  LinearProblem problem(backend_named("reference"), DType::kF64, kClasses, 0, 1);
  const std::vector<double> one = deepfool_distances(problem.target(), {.candidates = 1, .iterations = 1});
  int farther = 0;
  for (int run = 0; run < kRuns; ++run)
    for (int b = 0; b < kBatch; ++b) {
      const int from = problem.predicted(run, b);
      int second = from == 0 ? 1 : 0;
      for (int k = 0; k < kClasses; ++k)
        if (k != from && problem.logit(run, b, k) > problem.logit(run, b, second)) second = k;
      double square = 0;
      for (int i = 0; i < kPixels; ++i) square += std::pow(problem.slope(run, second, from, i), 2);
      const double expected =
          (problem.logit(run, b, from) - problem.logit(run, b, second)) / std::sqrt(square);
      EXPECT_NEAR(one[static_cast<std::size_t>(run * kBatch + b)], expected, 1e-12);
      farther += expected > problem.distances(run, b).front() + 1e-9 ? 1 : 0;
    }
  EXPECT_GT(farther, 0) << "the nearest boundary is always that of the second class: nothing is shown";
}

}  // namespace
}  // namespace gnc::tests
