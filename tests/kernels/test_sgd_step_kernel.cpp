#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "engine/random.h"
#include "kernels/sgd_step.h"
#include "tests/kernels/kernel_test.h"
#include "tests/support/compare.h"

namespace gnc {
namespace {

using tests::DeviceArray;

class SgdStepKernel : public tests::KernelTest {};

std::vector<float> normals(std::int64_t count, const char* purpose) {
  const RandomStream stream(20240607, purpose);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(stream.normal(i));
  return values;
}

/// Operands of `runs` runs of `elements`; the gradients are shared where `gradients_run_stride` is 0.
struct Problem {
  std::int64_t elements;
  int runs;
  std::int64_t gradients_run_stride;
  std::vector<float> values = normals(elements * runs, "values");
  std::vector<float> gradients = normals(gradients_run_stride == 0 ? elements : elements * runs, "gradients");
  std::vector<float> buffer = normals(elements * runs, "buffer");
  bool is_nesterov = false;
  bool is_guarded = false;         ///< by the flag
  std::vector<float> losses = {};  ///< of all runs; none: not given

  /// Run `index`, which has its own gradients, alone.
  Problem run(int index) const {
    const auto part = [&](const std::vector<float>& whole) {
      const auto first = whole.begin() + static_cast<std::ptrdiff_t>(index * elements);
      return std::vector<float>(first, first + static_cast<std::ptrdiff_t>(elements));
    };
    return {.elements = elements,
            .runs = 1,
            .gradients_run_stride = elements,
            .values = part(values),
            .gradients = part(gradients),
            .buffer = part(buffer)};
  }

  kernels::SgdStepArgs args(float* device_values, const float* device_gradients, float* device_buffer) const {
    return {.values = device_values,
            .gradients = device_gradients,
            .momentum_buffer = device_buffer,
            .values_run_stride = elements,
            .gradients_run_stride = gradients_run_stride,
            .momentum_buffer_run_stride = elements,
            .elements = elements,
            .runs = runs,
            .learning_rate = 0.1f,
            .momentum = 0.9f,
            .weight_decay = 5e-4f,
            .is_nesterov = is_nesterov};
  }
};

using Version = kernels::KernelVersion<kernels::SgdStepArgs>;

struct Result {
  std::vector<float> values, buffer;
  std::vector<std::int16_t> bf16_values;
  std::vector<std::int32_t> non_finite;  // of each run
};

bool has_same_bits(const std::optional<Result>& a, const std::optional<Result>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return tests::has_same_bits(a->values, b->values) && tests::has_same_bits(a->buffer, b->buffer) &&
         tests::has_same_bits(a->bf16_values, b->bf16_values) && a->non_finite == b->non_finite;
}

/// What a rung makes of it, twice the same; nothing where the rung does not take it.
std::optional<Result> run_kernel(const Problem& problem, const Version& version) {
  return tests::run_twice([&]() -> std::optional<Result> {
    DeviceArray<float> values(problem.values), gradients(problem.gradients), buffer(problem.buffer);
    DeviceArray<float> losses(problem.losses.empty() ? std::vector<float>{0} : problem.losses);
    DeviceArray<std::int16_t> rounded(std::vector<std::int16_t>(problem.values.size()));
    DeviceArray<std::int32_t> non_finite(std::vector<std::int32_t>(static_cast<std::size_t>(problem.runs)));
    auto args = problem.args(values.data(), gradients.data(), buffer.data());
    args.bf16_values = reinterpret_cast<kernels::Bf16*>(rounded.data());
    args.bf16_values_run_stride = problem.elements;
    if (problem.is_guarded) args.non_finite = non_finite.data();
    args.non_finite_run_stride = 1;
    if (!problem.losses.empty()) {
      args.samples = static_cast<int>(problem.losses.size()) / problem.runs;
      args.losses = losses.data();
      args.losses_run_stride = args.samples;
    }
    if (version.accepts != nullptr && !version.accepts(args)) return std::nullopt;
    version.launch(args, nullptr);
    EXPECT_TRUE(tests::has_same_bits(gradients.download(), problem.gradients));
    return Result{values.download(), buffer.download(), rounded.download(), non_finite.download()};
  });
}

void expect_the_formula(const Problem& problem, const Result& result) {
  const kernels::SgdStepArgs args = problem.args(nullptr, nullptr, nullptr);
  // Five roundings (fewer where multiply and add are fused), each of at most half a unit of a partial sum,
  // and no partial sum exceeds the sum of the magnitudes below.
  const auto elements = static_cast<std::size_t>(problem.elements);
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    const double value = problem.values[i];
    const double gradient = problem.gradients[problem.gradients_run_stride == 0 ? i % elements : i];
    const double kept = double{args.momentum} * problem.buffer[i];
    const double decay = double{args.weight_decay} * value;
    const double velocity = kept + gradient + decay;
    const double velocity_bound =
        5 * tests::kUnitRoundoff * (std::abs(kept) + std::abs(gradient) + std::abs(decay));
    ASSERT_LE(std::abs(result.buffer[i] - velocity), velocity_bound) << "element " << i << " of " << elements;
    const double step = double{args.learning_rate} * velocity;
    const double value_bound = double{args.learning_rate} * velocity_bound +
                               3 * tests::kUnitRoundoff * (std::abs(value) + std::abs(step));
    ASSERT_LE(std::abs(result.values[i] - (value - step)), value_bound)
        << "element " << i << " of " << elements;
  }
}

TEST_F(SgdStepKernel, FollowsTheFormula_OnEveryElementOfEveryRun) {
  // One element, one block and its neighbours, many blocks; a gradient per run and one for all.
  for (const std::int64_t elements : {1, 7, 255, 256, 257, 1028, 100003})
    for (const int runs : {1, 3})
      for (const std::int64_t stride : {std::int64_t{0}, elements})
        for (const Version& version : kernels::sgd_step_versions()) {
          const Problem problem{.elements = elements, .runs = runs, .gradients_run_stride = stride};
          const std::optional<Result> result = run_kernel(problem, version);
          if (result) expect_the_formula(problem, *result);
          if (HasFailure()) return;
        }
}

TEST_F(SgdStepKernel, AllVersions_GiveTheSameBitsAndRoundTheCopyOnce) {
  for (const bool is_nesterov : {false, true}) {
    Problem problem{.elements = 1028, .runs = 2, .gradients_run_stride = 1028};
    problem.is_nesterov = is_nesterov;
    std::optional<Result> first;
    for (const Version& version : kernels::sgd_step_versions()) {
      SCOPED_TRACE(version.name);
      const std::optional<Result> result = run_kernel(problem, version);
      ASSERT_TRUE(result) << "a rung does not take what suits all";
      for (std::size_t i = 0; i < result->values.size(); ++i)
        ASSERT_EQ(static_cast<std::uint16_t>(result->bf16_values[i]),
                  kernels::from_float<kernels::Bf16>(result->values[i]).bits)
            << "element " << i;
      if (!first) first = result;
      EXPECT_TRUE(has_same_bits(result, first));
    }
  }
}

TEST_F(SgdStepKernel, RunOfAnEnsemble_IsBitIdenticalToTheRunAlone) {
  // Sizes that make packs and that do not.
  for (const std::int64_t elements : {1031, 1028})
    for (const Version& version : kernels::sgd_step_versions()) {
      SCOPED_TRACE(version.name);
      const Problem problem{.elements = elements, .runs = 3, .gradients_run_stride = elements};
      const std::optional<Result> together = run_kernel(problem, version);
      if (!together) continue;
      for (int run = 0; run < problem.runs; ++run) {
        const std::optional<Result> alone = run_kernel(problem.run(run), version);
        ASSERT_TRUE(alone);
        const auto first = static_cast<std::ptrdiff_t>(run * elements);
        EXPECT_TRUE(std::equal(alone->values.begin(), alone->values.end(), together->values.begin() + first));
        EXPECT_TRUE(std::equal(alone->buffer.begin(), alone->buffer.end(), together->buffer.begin() + first));
      }
    }
}

TEST_F(SgdStepKernel, Guarded_LeavesWhatWouldNotBeFiniteAndMovesTheRestAsUnguarded) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  // Sizes that make packs and that do not; the bad elements are any of a pack's, and the last one.
  for (const std::int64_t elements : {1028, 1031})
    for (const Version& version : kernels::sgd_step_versions()) {
      SCOPED_TRACE(version.name);
      Problem problem{.elements = elements, .runs = 2, .gradients_run_stride = elements};
      const auto second = static_cast<std::size_t>(elements);
      const auto last = static_cast<std::size_t>(2 * elements - 1);
      problem.gradients[second] = std::numeric_limits<float>::quiet_NaN();
      problem.gradients[second + 5] = kInf;
      problem.gradients[second + 6] = -kInf;
      problem.values[second + 259] = 3.3e38f;  // 3.3e38 + 0.1 · 3e38 is more than float holds
      problem.gradients[second + 259] = -3e38f;
      problem.buffer[last] = 3.4e38f;  // 0.9 · 3.4e38 + 3e38, too
      problem.gradients[last] = 3e38f;
      const std::optional<Result> unguarded = run_kernel(problem, version);
      problem.is_guarded = true;
      const std::optional<Result> result = run_kernel(problem, version);
      ASSERT_EQ(result.has_value(), unguarded.has_value());
      if (!result) continue;
      EXPECT_EQ(result->non_finite, (std::vector<std::int32_t>{0, 1}));
      int left = 0;
      for (std::size_t i = 0; i < problem.values.size(); ++i) {
        const bool moves = std::isfinite(unguarded->values[i]) && std::isfinite(unguarded->buffer[i]);
        left += moves ? 0 : 1;
        ASSERT_EQ(result->values[i], moves ? unguarded->values[i] : problem.values[i]) << i;
        ASSERT_EQ(result->buffer[i], moves ? unguarded->buffer[i] : problem.buffer[i]) << i;
        ASSERT_EQ(static_cast<std::uint16_t>(result->bf16_values[i]),
                  kernels::from_float<kernels::Bf16>(result->values[i]).bits)
            << i;
      }
      EXPECT_EQ(left, 5);
    }
}

TEST_F(SgdStepKernel, RunWithALossThatIsNotFinite_StaysAsItWas) {
  // Fewer losses than a block has threads, as many, and more; the bad one is the last.
  for (const int samples : {1, 255, 256, 257, 700})
    for (const std::int64_t elements : {1028, 1031})
      for (const Version& version : kernels::sgd_step_versions()) {
        SCOPED_TRACE(version.name);
        Problem problem{.elements = elements, .runs = 2, .gradients_run_stride = elements};
        const std::optional<Result> unguarded = run_kernel(problem, version);
        problem.losses.assign(static_cast<std::size_t>(2 * samples), 1);
        problem.losses.back() = samples % 2 == 0 ? std::numeric_limits<float>::quiet_NaN()
                                                 : std::numeric_limits<float>::infinity();
        const std::optional<Result> result = run_kernel(problem, version);
        ASSERT_EQ(result.has_value(), unguarded.has_value());
        if (!result) continue;
        for (std::size_t i = 0; i < problem.values.size(); ++i) {
          const bool moves = i < problem.values.size() / 2;
          ASSERT_EQ(result->values[i], moves ? unguarded->values[i] : problem.values[i]) << i;
          ASSERT_EQ(result->buffer[i], moves ? unguarded->buffer[i] : problem.buffer[i]) << i;
          ASSERT_EQ(result->bf16_values[i], moves ? unguarded->bf16_values[i] : 0) << i;
        }
      }
}

TEST_F(SgdStepKernel, NanGradient_ReachesTheValue) {
  Problem problem{.elements = 4, .runs = 1, .gradients_run_stride = 4};
  problem.gradients[1] = std::numeric_limits<float>::quiet_NaN();
  for (const Version& version : kernels::sgd_step_versions()) {
    SCOPED_TRACE(version.name);
    const std::optional<Result> result = run_kernel(problem, version);
    ASSERT_TRUE(result);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(std::isnan(result->values[i]), i == 1) << i;
  }
}

}  // namespace
}  // namespace gnc
