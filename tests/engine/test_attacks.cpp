/// Attacks on the inputs: closed forms of linear networks, invariants, ensembles, memory.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "engine/attacks/robustness.h"
#include "engine/planning_backend.h"
#include "tests/engine/linear_problem.h"
#include "tests/support/tiny_training.h"

namespace gnc::tests {
namespace {

/// Of two classes the loss is monotone in one linear function, so one signed step from anywhere reaches its
/// optimum over ball and box: every pixel goes min(ε, what is left of the box) against its slope. In bf16,
/// too: rounding a slope keeps its sign, and rounding x is monotone, so that no picture on the way has a
/// lower margin.
void expect_optimum(LinearProblem& problem, float epsilon, const Tensor& pictures, const Tensor& margins) {
  const std::vector<double> attacked = problem.read(pictures), margin = problem.read(margins);
  for (int run = 0; run < kRuns; ++run)
    for (int b = 0; b < kBatch; ++b) {
      const int y = problem.label(b), other = 1 - y;
      double least = problem.logit(run, b, y) - problem.logit(run, b, other), doubt = 0;
      for (int i = 0; i < kPixels; ++i) {
        const double slope = problem.slope(run, y, other, i), from = problem.u(b, i);
        const double move = std::min(double{epsilon}, slope > 0 ? from : 1 - from);
        const double to = from - (slope > 0 ? move : -move);
        const double weight = problem.weight(run, y, i) - problem.weight(run, other, i);
        least += weight * (problem.seen(to, i) - problem.seen(from, i));
        doubt += std::abs(weight) * problem.doubt(to, i);
        EXPECT_NEAR(attacked[static_cast<std::size_t>((run * kBatch + b) * kPixels + i)], to,
                    problem.picture_rounding());
      }
      EXPECT_NEAR(margin[static_cast<std::size_t>(run * kBatch + b)], least, problem.rounding() + doubt)
          << "run " << run << ", picture " << b;
    }
}

TEST(FastGradientSign, Reaches_The_Optimum_Of_A_Linear_Network) {
  for_each_image_precision([](Backend& backend, DType dtype) {
    for (const float epsilon : {0.0F, 0.03F, 0.3F}) {  // 0.3: many pixels meet the box
      LinearProblem problem(backend, dtype, 2, 0, 1);
      const DeviceTensor margins = problem.margins();
      const LeasedTensor pictures = fast_gradient_sign(problem.target(), epsilon, margins.view());
      expect_optimum(problem, epsilon, pictures.tensor(), margins.view());
    }
  });
}

TEST(ProjectedGradient, Reaches_The_Optimum_Of_A_Linear_Network_From_Any_Start) {
  for_each_image_precision([](Backend& backend, DType dtype) {
    for (const float epsilon : {0.03F, 0.3F}) {
      LinearProblem problem(backend, dtype, 2, 0, 1);
      const DeviceTensor margins = problem.margins();
      const LeasedTensor pictures =
          projected_gradient(problem.target(), {.epsilon = epsilon}, problem.start(), margins.view());
      expect_optimum(problem, epsilon, pictures.tensor(), margins.view());
    }
  });
}

TEST(ProjectedGradient, Without_A_Step_Is_The_Start_Within_The_Box) {
  for_each_image_precision([](Backend& backend, DType dtype) {
    LinearProblem problem(backend, dtype, 3, 0, 1);
    const DeviceTensor margins = problem.margins();
    const LeasedTensor pictures =
        projected_gradient(problem.target(), {.epsilon = 0.25F, .steps = 0}, problem.start(), margins.view());
    const std::vector<double> start = problem.read(pictures.tensor()),
                              uniform =
                                  as_doubles(download(problem.start().run(0)).in_layout(Layout::kRowMajor));
    for (int b = 0; b < kBatch; ++b)
      for (int i = 0; i < kPixels; ++i) {
        const auto at = static_cast<std::size_t>(b * kPixels + i);
        EXPECT_NEAR(start[at], std::clamp(problem.u(b, i) + 0.25 * uniform[at], 0.0, 1.0), 1e-6);
      }
  });
}

// A network with convolutions and batch norm ----------------------------------------------------------------

constexpr int kClasses = 4, kFeatures = 3;

/// The meter on a tiny network, whose runs are those of some seeds, in the memory that its plan asks for.
class Measured {
 public:
  Measured(Backend& backend, std::vector<std::uint64_t> seeds, const RobustnessSettings& settings)
      : images_(kClasses, 2, 11),
        network_(tiny_network(kFeatures, kClasses)),
        parameters_(*network_, backend, static_cast<int>(seeds.size()), DType::kF32),
        meter_(backend, *network_, images_, settings, seeds) {
    for (std::size_t run = 0; run < seeds.size(); ++run) {
      const int index = static_cast<int>(run);
      parameters_.initialize(index, seeds[run]);
      HostTensor frame(TensorSpec{.shape = {kClasses, kFeatures}});
      const RandomStream law(seeds[run], "frame");
      for (std::uint64_t i = 0; i < kClasses * kFeatures; ++i)
        frame.values<float>()[i] = static_cast<float>(law.normal(i));
      parameters_.write(parameters_.find("classifier.weight").parameter->value, index, frame);
    }
    PlanningBackend planning(backend);
    Arena plan = Arena::unbacked(backend.memory());
    meter_.rehearse(planning, plan, meter_.batch_size());
    arena_.emplace(backend.memory(), plan.peak());
    meter_.rehearse(backend, *arena_, meter_.batch_size());
  }
  std::vector<AttackedRun> operator()(int epoch) { return meter_.measure(*arena_, epoch); }
  std::size_t in_use() const { return arena_->in_use(); }

 private:
  TinyImages images_;
  std::unique_ptr<Network> network_;
  ParameterArena parameters_;
  RobustnessMeter meter_;
  std::optional<Arena> arena_;
};

RobustnessSettings quick() {
  return {.gradient = {.epsilon = 0.05F, .steps = 2, .relative_step = 1},
          .deepfool = {.iterations = 2},
          .batch_size = 5};  // of eight pictures: the last batch is short
}

TEST(Robustness, Of_A_Run_Has_The_Bits_Of_The_Run_Alone) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const std::vector<AttackedRun> both = Measured(backend, {5, 6}, quick())(2);
    for (std::size_t run = 0; run < 2; ++run) {
      const AttackedRun alone = Measured(backend, {5 + run}, quick())(2).front();
      EXPECT_EQ(both[run].clean_margins, alone.clean_margins);
      EXPECT_EQ(both[run].fgsm_margins, alone.fgsm_margins);
      EXPECT_EQ(both[run].pgd_margins, alone.pgd_margins);
      EXPECT_EQ(both[run].distances, alone.distances);
    }
  });
}

TEST(Robustness, Draws_Starts_By_Seed_And_Epoch_And_Gives_Memory_Back) {
  Measured measured(backend_named("cpu"), {5}, quick());
  const AttackedRun first = measured(2).front(), again = measured(2).front(), later = measured(3).front();
  EXPECT_EQ(first.pgd_margins, again.pgd_margins);
  EXPECT_NE(first.pgd_margins, later.pgd_margins);
  EXPECT_EQ(first.fgsm_margins, later.fgsm_margins);
  EXPECT_EQ(measured.in_use(), 0U);
}

TEST(Robustness, Is_Never_Above_Clean_Accuracy_And_Finds_More_With_More_Room) {
  Measured measured(backend_named("cpu"), {5}, quick());
  RobustnessSettings none = quick();
  none.gradient.epsilon = 0;
  const AttackedRun attacked = measured(0).front();
  const AttackedRun untouched = Measured(backend_named("cpu"), {5}, none)(0).front();
  ASSERT_EQ(attacked.clean_margins.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_LT(attacked.fgsm_margins[i], attacked.clean_margins[i]);
    EXPECT_LT(attacked.pgd_margins[i], attacked.clean_margins[i]);
    EXPECT_GT(attacked.distances[i], 0);
    // The picture and its normalisation are rounded on two ways: by 4u of numbers of about 5, and on through
    // the network.
    EXPECT_NEAR(untouched.fgsm_margins[i], untouched.clean_margins[i], 1e-5);
  }
  const Robustness summary = summarize(attacked);
  EXPECT_LE(summary.fgsm_accuracy, summary.clean_accuracy);
  EXPECT_LE(summary.pgd_accuracy, summary.clean_accuracy);
}

TEST(Robustness, Is_Summarised_By_Shares_Mean_And_Median) {
  const Robustness summary = summarize({.clean_margins = {1, 2, -1, 0.5},
                                        .fgsm_margins = {1, 0, -1, 0.25},
                                        .pgd_margins = {1, -1, -1, -2},
                                        .distances = {1, 2, 4, kInfinity}});
  EXPECT_EQ(summary.clean_accuracy, 0.75);
  EXPECT_EQ(summary.fgsm_accuracy, 0.5);
  EXPECT_EQ(summary.pgd_accuracy, 0.25);
  EXPECT_EQ(summary.deepfool_fooled, 0.75);
  EXPECT_DOUBLE_EQ(summary.deepfool_mean, 7.0 / 3);
  EXPECT_EQ(summary.deepfool_median, 3);
}

}  // namespace
}  // namespace gnc::tests
