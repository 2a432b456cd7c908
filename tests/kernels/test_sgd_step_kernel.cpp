#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
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
            .weight_decay = 5e-4f};
  }
};

TEST_F(SgdStepKernel, FollowsTheFormula_OnEveryElementOfEveryRun) {
  // One element, one block and its neighbours, many blocks; a gradient per run and one for all.
  for (const std::int64_t elements : {1, 7, 255, 256, 257, 100003})
    for (const int runs : {1, 3})
      for (const std::int64_t stride : {std::int64_t{0}, elements}) {
        const Problem problem{.elements = elements, .runs = runs, .gradients_run_stride = stride};
        DeviceArray<float> values(problem.values), gradients(problem.gradients), buffer(problem.buffer);
        const auto args = problem.args(values.data(), gradients.data(), buffer.data());
        kernels::sgd_step(args, nullptr);
        const std::vector<float> new_values = values.download(), new_buffer = buffer.download();
        EXPECT_EQ(gradients.download(), problem.gradients);

        // Five roundings (fewer where multiply and add are fused), each of at most half a unit of a partial
        // sum, and no partial sum exceeds the sum of the magnitudes below.
        for (std::size_t i = 0; i < new_values.size(); ++i) {
          const double value = problem.values[i];
          const double gradient = problem.gradients[stride == 0 ? i % static_cast<std::size_t>(elements) : i];
          const double kept = double{args.momentum} * problem.buffer[i];
          const double decay = double{args.weight_decay} * value;
          const double velocity = kept + gradient + decay;
          const double velocity_bound =
              5 * tests::kUnitRoundoff * (std::abs(kept) + std::abs(gradient) + std::abs(decay));
          ASSERT_LE(std::abs(new_buffer[i] - velocity), velocity_bound)
              << "element " << i << " of " << elements;
          const double step = double{args.learning_rate} * velocity;
          const double value_bound = double{args.learning_rate} * velocity_bound +
                                     3 * tests::kUnitRoundoff * (std::abs(value) + std::abs(step));
          ASSERT_LE(std::abs(new_values[i] - (value - step)), value_bound)
              << "element " << i << " of " << elements;
        }
      }
}

TEST_F(SgdStepKernel, AllVersions_GiveTheSameBitsAndRoundTheCopyOnce) {
  const Problem problem{.elements = 1028, .runs = 2, .gradients_run_stride = 1028};
  std::vector<float> first;
  for (const auto& version : kernels::sgd_step_versions()) {
    DeviceArray<float> values(problem.values), gradients(problem.gradients), buffer(problem.buffer);
    DeviceArray<std::int16_t> rounded(std::vector<std::int16_t>(problem.values.size()));
    auto args = problem.args(values.data(), gradients.data(), buffer.data());
    args.bf16_values = reinterpret_cast<kernels::Bf16*>(rounded.data());
    args.bf16_values_run_stride = problem.elements;
    ASSERT_TRUE(version.accepts == nullptr || version.accepts(args)) << version.name;
    version.launch(args, nullptr);

    const std::vector<float> result = values.download();
    const std::vector<std::int16_t> bits = rounded.download();
    for (std::size_t i = 0; i < result.size(); ++i)
      ASSERT_EQ(static_cast<std::uint16_t>(bits[i]), kernels::from_float<kernels::Bf16>(result[i]).bits)
          << version.name << ", element " << i;
    if (first.empty()) first = result;
    EXPECT_EQ(result, first) << version.name;
  }
}

TEST_F(SgdStepKernel, RunOfAnEnsemble_IsBitIdenticalToTheRunAlone) {
  const Problem problem{.elements = 1031, .runs = 3, .gradients_run_stride = 1031};
  DeviceArray<float> values(problem.values), gradients(problem.gradients), buffer(problem.buffer);
  kernels::sgd_step(problem.args(values.data(), gradients.data(), buffer.data()), nullptr);
  const std::vector<float> together = values.download();

  DeviceArray<float> values_alone(problem.values), buffer_alone(problem.buffer);
  for (int run = 0; run < problem.runs; ++run) {
    const std::int64_t start = run * problem.elements;
    auto args =
        problem.args(values_alone.data() + start, gradients.data() + start, buffer_alone.data() + start);
    args.runs = 1;
    kernels::sgd_step(args, nullptr);
  }
  EXPECT_EQ(values_alone.download(), together);
  EXPECT_EQ(buffer_alone.download(), buffer.download());
}

TEST_F(SgdStepKernel, NanGradient_ReachesTheValue) {
  Problem problem{.elements = 3, .runs = 1, .gradients_run_stride = 3};
  problem.gradients[1] = std::numeric_limits<float>::quiet_NaN();
  DeviceArray<float> values(problem.values), gradients(problem.gradients), buffer(problem.buffer);
  kernels::sgd_step(problem.args(values.data(), gradients.data(), buffer.data()), nullptr);
  const std::vector<float> result = values.download();
  EXPECT_TRUE(std::isfinite(result[0]));
  EXPECT_TRUE(std::isnan(result[1]));
  EXPECT_TRUE(std::isfinite(result[2]));
}

}  // namespace
}  // namespace gnc
