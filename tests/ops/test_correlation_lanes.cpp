/// Restarts on SIMD lanes: what the cpu's CorrelationDescent rests on.

#include "engine/ops/correlation_lanes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/ops/lanes.h"
#include "engine/random.h"

namespace gnc {
namespace {

template <class Real>
struct Restarts {
  std::vector<std::vector<Real>> vectors;
  std::vector<CorrelationRestart<Real>> list;
};

/// Restarts `from` to `to` of a fixed series, descended on one thread.
template <class Real>
Restarts<Real> descended(const CorrelationSchedule& schedule, int from, int to) {
  Restarts<Real> restarts;
  const std::size_t entries = static_cast<std::size_t>(schedule.dim * schedule.num_vectors);
  for (int i = from; i < to; ++i) {
    const RandomStream stream(5, "test", static_cast<std::uint64_t>(i));
    std::vector<Real> x(entries);
    for (std::size_t k = 0; k < entries; ++k) x[k] = static_cast<Real>(stream.normal(k));
    restarts.vectors.push_back(std::move(x));
  }
  for (int i = from; i < to; ++i) {
    CorrelationRestart<Real> restart;
    restart.vectors = restarts.vectors[static_cast<std::size_t>(i - from)].data();
    restart.first_sharpness = 16.0 * (1 + i % 7);
    restarts.list.push_back(restart);
  }
  std::size_t next = 0;
  const RestartSource<Real> source = [&]() -> CorrelationRestart<Real>* {
    return next < restarts.list.size() ? &restarts.list[next++] : nullptr;
  };
  descend_correlation_lanes(schedule, source);
  return restarts;
}

template <class Real>
class CorrelationLanes : public testing::Test {};
using Reals = testing::Types<float, double>;
TYPED_TEST_SUITE(CorrelationLanes, Reals);

TYPED_TEST(CorrelationLanes, Give_A_Restart_The_Same_Bits_Whoever_Is_Beside_It) {
  for (const FrameObjective objective : {FrameObjective::kSigned, FrameObjective::kAbsolute}) {
    // 11 dimensions: a block of eight and one of three.
    for (const auto& [dim, classes] : {std::pair{3, 7}, {11, 14}}) {
      const CorrelationSchedule schedule = {.objective = objective,
                                            .dim = dim,
                                            .num_vectors = classes,
                                            .iterations_per_stage = 60,
                                            .multiplier_steps = 2};
      const auto together = descended<TypeParam>(schedule, 0, 37);
      for (const int i : {0, 5, 20, 36}) {
        const auto alone = descended<TypeParam>(schedule, i, i + 1);
        const auto& beside = together.list[static_cast<std::size_t>(i)];
        EXPECT_EQ(alone.vectors.front(), together.vectors[static_cast<std::size_t>(i)]);
        EXPECT_EQ(alone.list.front().value, beside.value);
        EXPECT_EQ(alone.list.front().estimate, beside.estimate);
        EXPECT_EQ(alone.list.front().evaluations, beside.evaluations);
      }
    }
  }
}

TYPED_TEST(CorrelationLanes, Reach_The_Optimum_With_Multipliers) {
  // Six lines through the vertices of an icosahedron, 1/√5; multipliers take away the log(15)/4096 that the
  // surrogate leaves. What is left is the rounding of six products of three terms.
  const CorrelationSchedule schedule = {.objective = FrameObjective::kAbsolute,
                                        .dim = 3,
                                        .num_vectors = 6,
                                        .last_tolerance = sizeof(TypeParam) == 8 ? 1e-9 : 1e-5,
                                        .multiplier_steps = 6};
  const auto ends = descended<TypeParam>(schedule, 0, 9);
  double best = 1;
  for (const auto& restart : ends.list) best = std::min(best, restart.value);
  EXPECT_NEAR(best, 1 / std::sqrt(5.0), sizeof(TypeParam) == 8 ? 1e-9 : 1e-6);
}

TYPED_TEST(CorrelationLanes, Have_An_Exponential_Of_A_Few_Units_Of_The_Last_Place) {
  using Vector = typename Lanes<TypeParam>::Vector;
  constexpr double kEpsilon = std::numeric_limits<TypeParam>::epsilon();
  for (int i = 0; i < 4000; ++i) {
    const TypeParam x = static_cast<TypeParam>(-79.5 + 0.041 * i);
    if (x > TypeParam(80)) break;
    const Vector result = exp_lanes(Vector{} + x);
    const double expected = std::exp(static_cast<double>(x));
    for (int lane = 0; lane < Lanes<TypeParam>::kCount; ++lane)
      ASSERT_NEAR(static_cast<double>(result[lane]), expected, 2 * kEpsilon * expected) << x;
  }
  const Vector least = exp_lanes(Vector{} - TypeParam(1e6));
  EXPECT_GT(least[0], TypeParam(0));
  EXPECT_LT(least[0], TypeParam(2e-35));
}

}  // namespace
}  // namespace gnc
