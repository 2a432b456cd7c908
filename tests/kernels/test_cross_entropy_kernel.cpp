#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "engine/random.h"
#include "kernels/cross_entropy.h"
#include "tests/kernels/kernel_test.h"
#include "tests/support/compare.h"

namespace gnc {
namespace {

using tests::DeviceArray;

class CrossEntropyKernel : public tests::KernelTest {};

struct Case {
  int batch, classes, runs;
  float logit_scale;
};

/// Logits per run, labels shared by the runs.
struct Problem {
  Case size;
  std::vector<float> logits;
  std::vector<std::int32_t> labels;

  explicit Problem(const Case& c) : size(c) {
    const RandomStream normal(20240607, "logits"), uniform(20240607, "labels");
    logits.resize(static_cast<std::size_t>(c.runs) * static_cast<std::size_t>(c.batch * c.classes));
    labels.resize(static_cast<std::size_t>(c.batch));
    for (std::size_t i = 0; i < logits.size(); ++i)
      logits[i] = c.logit_scale * static_cast<float>(normal.normal(i));
    for (std::size_t i = 0; i < labels.size(); ++i)
      labels[i] = static_cast<std::int32_t>(uniform.below(i, static_cast<std::uint64_t>(c.classes)));
  }
};

struct Result {
  std::vector<float> losses, logits_grad;
  std::vector<std::int32_t> predictions;
  friend bool operator==(const Result&, const Result&) = default;
};

bool has_same_bits(const Result& a, const Result& b) {
  return tests::has_same_bits(a.losses, b.losses) && tests::has_same_bits(a.logits_grad, b.logits_grad) &&
         tests::has_same_bits(a.predictions, b.predictions);
}

enum class Gradient { kApart, kInPlace };

using Version = kernels::KernelVersion<kernels::CrossEntropyArgs>;

/// What `version` of the kernel makes of it, or the plain launcher; nothing where the version does not take
/// it.
Result run_once(const Problem& problem, const Version* version, Gradient gradient) {
  const auto [batch, classes, runs, scale] = problem.size;
  const std::int64_t rows = std::int64_t{batch} * runs;
  DeviceArray<float> logits(problem.logits);
  DeviceArray<std::int32_t> labels(problem.labels);
  DeviceArray<float> losses(std::vector<float>(static_cast<std::size_t>(rows), -1.0f));
  DeviceArray<float> apart(std::vector<float>(problem.logits.size(), -1.0f));
  DeviceArray<std::int32_t> predictions(std::vector<std::int32_t>(static_cast<std::size_t>(rows), -1));
  DeviceArray<float>& logits_grad = gradient == Gradient::kInPlace ? logits : apart;
  const kernels::CrossEntropyArgs args{.logits = logits.data(),
                                       .labels = labels.data(),
                                       .losses = losses.data(),
                                       .logits_grad = logits_grad.data(),
                                       .predictions = predictions.data(),
                                       .logits_run_stride = std::int64_t{batch} * classes,
                                       .labels_run_stride = 0,
                                       .losses_run_stride = batch,
                                       .logits_grad_run_stride = std::int64_t{batch} * classes,
                                       .predictions_run_stride = batch,
                                       .batch = batch,
                                       .classes = classes,
                                       .runs = runs};
  if (version == nullptr)
    kernels::cross_entropy(args, nullptr);
  else if (version->accepts == nullptr || version->accepts(args))
    version->launch(args, nullptr);
  else
    return {};
  return {losses.download(), logits_grad.download(), predictions.download()};
}

/// The same, and that a second time gives the same bits.
Result run_kernel(const Problem& problem, const Version* version = nullptr,
                  Gradient gradient = Gradient::kApart) {
  return tests::run_twice([&] { return run_once(problem, version, gradient); });
}

void expect_the_formula(const Problem& problem, const Result& result) {
  const Case& size = problem.size;
  const auto classes = static_cast<std::size_t>(size.classes), batch = static_cast<std::size_t>(size.batch);
  for (std::size_t row = 0; row < result.losses.size(); ++row) {
    const float* const logits = problem.logits.data() + row * classes;
    const auto label = static_cast<std::size_t>(problem.labels[row % batch]);
    const double largest = *std::max_element(logits, logits + classes);
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) sum += std::exp(logits[c] - largest);
    const double distance = largest - logits[label];
    const double loss = std::log(sum) + distance;

    // Relative error of the sum: classes/32 + 5 additions, exp within 2 units, and the rounding of its
    // argument x, which moves a term by at most |x|·exp(x) ≤ 0.37 of a half unit. It is the absolute error
    // of the logarithm; logarithm, distance and their sum are rounded too. 1e-37 stands for results below
    // the normal range. A sum that follows a growing maximum has fewer additions, and for each of them a
    // product more.
    const double sum_error = (static_cast<double>(classes) / 32 + 5 + 4 + 1) * tests::kUnitRoundoff;
    ASSERT_LE(std::abs(result.losses[row] - loss),
              sum_error + 4 * tests::kUnitRoundoff * (std::log(sum) + distance + loss) + 1e-37)
        << "row " << row << " of " << size.batch << "x" << size.classes;
    ASSERT_EQ(result.predictions[row], std::max_element(logits, logits + classes) - logits);
    for (std::size_t c = 0; c < classes; ++c) {
      const double probability = std::exp(logits[c] - largest) / sum;
      const double gradient = (probability - (c == label ? 1.0 : 0.0)) / size.batch;
      // A probability has the errors of the sum and of one more exponential, then three roundings.
      ASSERT_LE(std::abs(result.logits_grad[row * classes + c] - gradient),
                (sum_error + 8 * tests::kUnitRoundoff) / size.batch + 1e-37)
          << "row " << row << ", class " << c;
    }
  }
}

TEST_F(CrossEntropyKernel, LossGradientAndPrediction_FollowTheFormula) {
  // The smallest; rows that fill no warp and no block; more classes than lanes, none of it divisible, and all
  // of it; exp underflow; the widest blocks.
  for (const Case& size :
       {Case{1, 2, 1, 1}, Case{1, 1, 1, 1}, Case{5, 10, 3, 3}, Case{7, 100, 2, 20}, Case{33, 32, 1, 5},
        Case{5, 1000, 2, 5}, Case{3, 1031, 1, 80}, Case{2, 9001, 2, 8}})
    for (const Version& version : kernels::cross_entropy_versions()) {
      SCOPED_TRACE(version.name);
      const Problem problem(size);
      expect_the_formula(problem, run_kernel(problem, &version));
    }
}

TEST_F(CrossEntropyKernel, GradientInPlace_EqualsTheOneApart) {
  for (const Version& version : kernels::cross_entropy_versions()) {
    SCOPED_TRACE(version.name);
    const Problem problem({.batch = 33, .classes = 100, .runs = 2, .logit_scale = 5});
    EXPECT_EQ(run_kernel(problem, &version, Gradient::kInPlace), run_kernel(problem, &version));
  }
}

TEST_F(CrossEntropyKernel, RunOfAnEnsemble_IsBitIdenticalToTheRunAlone) {
  // 1399 classes: of the runs together, not all start where a pack does.
  for (const std::size_t classes : {100, 1399})
    for (const Version& version : kernels::cross_entropy_versions()) {
      SCOPED_TRACE(version.name);
      const Problem ensemble({.batch = 7, .classes = static_cast<int>(classes), .runs = 3, .logit_scale = 5});
      const Result together = run_kernel(ensemble, &version);
      for (std::size_t run = 0; run * 7 < together.losses.size(); ++run) {
        Problem alone = ensemble;
        alone.size.runs = 1;
        const auto elements = static_cast<std::ptrdiff_t>(7 * classes * run),
                   rows = static_cast<std::ptrdiff_t>(7 * run);
        alone.logits = {ensemble.logits.begin() + elements,
                        ensemble.logits.begin() + elements + static_cast<std::ptrdiff_t>(7 * classes)};
        const Result result = run_kernel(alone, &version);
        EXPECT_TRUE(std::equal(result.losses.begin(), result.losses.end(), together.losses.begin() + rows));
        EXPECT_TRUE(std::equal(result.logits_grad.begin(), result.logits_grad.end(),
                               together.logits_grad.begin() + elements));
      }
    }
}

TEST_F(CrossEntropyKernel, RowInRegisters_GivesTheBitsOfTheRowInMemory) {
  const auto versions = kernels::cross_entropy_versions();
  for (const int classes : {1, 10, 33, 100, 500, 1024}) {
    const Problem problem({.batch = 5, .classes = classes, .runs = 2, .logit_scale = 5});
    EXPECT_EQ(run_kernel(problem, &versions[1]), run_kernel(problem, &versions[0])) << classes;
  }
}

TEST_F(CrossEntropyKernel, EqualLogits_PredictTheFirst) {
  Problem problem({.batch = 2, .classes = 70, .runs = 1, .logit_scale = 1});
  std::fill(problem.logits.begin(), problem.logits.end(), 0.5f);
  problem.logits[70 + 69] = problem.logits[70 + 37] = 2.0f;
  for (const Version& version : kernels::cross_entropy_versions())
    EXPECT_EQ(run_kernel(problem, &version).predictions, (std::vector<std::int32_t>{0, 37})) << version.name;
}

TEST_F(CrossEntropyKernel, NotFiniteLogit_MakesItsRowsLossNan) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (const Version& version : kernels::cross_entropy_versions()) {
      SCOPED_TRACE(version.name);
      Problem problem({.batch = 3, .classes = 40, .runs = 1, .logit_scale = 1});
      problem.logits[40 + 35] = bad;
      const Result result = run_kernel(problem, &version);
      EXPECT_TRUE(std::isfinite(result.losses[0]));
      EXPECT_TRUE(std::isnan(result.losses[1]));
      EXPECT_TRUE(std::isfinite(result.losses[2]));
      EXPECT_GE(result.predictions[1], 0);
      EXPECT_LT(result.predictions[1], 40);
    }
}

}  // namespace
}  // namespace gnc
