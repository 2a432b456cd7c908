/// Gradient descent on the unconstrained feature model: gradients, steps by hand, broken iterates, fp64,
/// several chunks, errors. Cases: cases/ufm_descent.h.

#include "engine/ops/ufm_descent.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/ops/cases/ufm_descent.h"
#include "tests/ops/gradients.h"
#include "tests/ops/schedule.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Cases = OpCases<UfmDescent>;
using Doubles = std::vector<double>;
using Values = std::span<const double>;

constexpr UfmPenalty kPenalties[] = {UfmPenalty::kSquared, UfmPenalty::kNorm, UfmPenalty::kSphere};
/// Sizes for a block of a GPU, and such as go through its memory: d·C is more than 2048.
constexpr int kSmallDim = 3, kLargeDim = 700;

/// Iterates, and the cross-entropies from which the last step set out.
struct Model {
  int samples, dim, classes;
  Doubles features, classifier, losses = {};
};

/// Sample i has label i mod C.
int label_of(const Model& model, int sample) { return sample % model.classes; }

/// A descent without its operands.
struct Settings {
  int steps = 1;
  double scale = 1, feature_lr = 0, classifier_lr = 0;
  UfmPenalty penalty = UfmPenalty::kSquared;
  double feature_decay = 0, classifier_decay = 0, norm = 1;
};

Model descended(Backend& backend, const Model& from, const Settings& settings, DType real = DType::kF32) {
  Workbench bench(backend, real);
  HostTensor labels(TensorSpec{.shape = {from.samples}, .dtype = DType::kI32});
  for (int i = 0; i < from.samples; ++i)
    labels.values<std::int32_t>()[static_cast<std::size_t>(i)] = label_of(from, i);
  const DeviceTensor device_labels = upload(backend.memory(), labels);
  const UfmDescent op{.features = bench.tensor({from.samples, from.dim}, from.features),
                      .classifier = bench.tensor({from.classes, from.dim}, from.classifier),
                      .labels = device_labels.view(),
                      .losses = bench.empty({from.samples}),
                      .steps = settings.steps,
                      .cross_entropy_scale = settings.scale,
                      .feature_lr = settings.feature_lr,
                      .classifier_lr = settings.classifier_lr,
                      .penalty = settings.penalty,
                      .feature_decay = settings.feature_decay,
                      .classifier_decay = settings.classifier_decay,
                      .norm = settings.norm};
  bench.run(op);
  Model to = from;
  to.features = bench.values(op.features);
  to.classifier = bench.values(op.classifier);
  to.losses = bench.values(op.losses);
  return to;
}

Model random_model(int samples, int dim, int classes) {
  const double bound = std::sqrt(3.0 / dim);
  return {.samples = samples,
          .dim = dim,
          .classes = classes,
          .features = random_doubles("features", {samples, dim}, -bound, bound),
          .classifier = random_doubles("classifier", {classes, dim}, -bound, bound)};
}

double norm_of(Values values) { return std::sqrt(dot(values, values)); }

/// L(Z, M) written out: s·Σ_i log Σ_y exp⟨M_y − M_label, z_i⟩ and the penalty.
double loss_of(const Model& model, const Settings& settings) {
  double loss = 0;
  const auto row = [&](const Doubles& matrix, int index) {
    return Values(matrix).subspan(static_cast<std::size_t>(index * model.dim),
                                  static_cast<std::size_t>(model.dim));
  };
  for (int i = 0; i < model.samples; ++i) {
    const Values z = row(model.features, i);
    double sum = 0;
    for (int y = 0; y < model.classes; ++y)
      sum += std::exp(dot(row(model.classifier, y), z) - dot(row(model.classifier, label_of(model, i)), z));
    loss += settings.scale * std::log(sum);
  }
  if (settings.penalty == UfmPenalty::kSquared)
    return loss + settings.feature_decay / 2 * dot(model.features, model.features) +
           settings.classifier_decay / 2 * dot(model.classifier, model.classifier);
  if (settings.penalty == UfmPenalty::kNorm)
    return loss + settings.feature_decay * norm_of(model.features) +
           settings.classifier_decay * norm_of(model.classifier);
  return loss;
}

TEST(UfmDescent, Steps_Against_The_Gradient_Of_The_Loss) {
  for (const UfmPenalty penalty : {UfmPenalty::kSquared, UfmPenalty::kNorm})
    for (const Model& point : {random_model(1, 1, 2), random_model(5, 3, 4), random_model(7, 2, 3)}) {
      SCOPED_TRACE(fmt::format("{}, {} samples", to_string(penalty), point.samples));
      const Settings settings{.scale = 0.7,
                              .feature_lr = 1,
                              .classifier_lr = 1,
                              .penalty = penalty,
                              .feature_decay = 0.3,
                              .classifier_decay = 0.2};
      const Model stepped = descended(oracle(), point, settings, DType::kF64);
      const auto check = [&](Doubles Model::*part) {
        Doubles gradient = point.*part;  // (old − new)/1
        for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] -= (stepped.*part)[i];
        const auto loss = [&](Values at) {
          Model moved = point;
          moved.*part = Doubles(at.begin(), at.end());
          return loss_of(moved, settings);
        };
        expect_gradient(loss, point.*part, gradient, kCurved);
      };
      check(&Model::features);
      check(&Model::classifier);
    }
}

TEST(UfmDescent, Sphere_Scales_What_Free_Descent_Gives) {
  const Model point = random_model(5, 3, 4);
  Settings settings{.feature_lr = 0.3, .classifier_lr = 0.2, .penalty = UfmPenalty::kSphere, .norm = 1.5};
  const Model sphere = descended(oracle(), point, settings, DType::kF64);
  settings.penalty = UfmPenalty::kSquared;  // with decays of 0: no penalty
  const Model free = descended(oracle(), point, settings, DType::kF64);
  const auto expect_scaled = [](const Doubles& on, const Doubles& off) {
    for (std::size_t row = 0; row < on.size(); row += 3) {
      const double norm = norm_of(Values(off).subspan(row, 3));
      for (std::size_t k = row; k < row + 3; ++k) EXPECT_NEAR(on[k], off[k] * 1.5 / norm, 1e-14);
    }
  };
  expect_scaled(sphere.features, free.features);
  expect_scaled(sphere.classifier, free.classifier);
}

TEST(UfmDescent, Of_Two_Opposite_Directions_Uses_The_Old_Iterates) {
  // Logits ±1, so ∂L/∂logits = (−q, q), q = σ(−2); with rates of 1, z ← 1 + 2q and M ← ±(1 + q·1). From the
  // new z it would be M ← ±(1 + q·(1 + 2q)).
  const Model point{.samples = 1, .dim = 1, .classes = 2, .features = {1}, .classifier = {1, -1}};
  const double q = 1 / (1 + std::exp(2.0));
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Model stepped = descended(backend, point, {.feature_lr = 1, .classifier_lr = 1});
    EXPECT_NEAR(stepped.losses[0], std::log1p(std::exp(-2.0)), 10 * kUnitRoundoff);
    EXPECT_NEAR(stepped.features[0], 1 + 2 * q, 10 * kUnitRoundoff);
    EXPECT_NEAR(stepped.classifier[0], 1 + q, 10 * kUnitRoundoff);
    EXPECT_NEAR(stepped.classifier[1], -1 - q, 10 * kUnitRoundoff);
  });
}

TEST(UfmDescent, Stays_At_Zero) {
  for_each_backend([](Backend& backend) {
    for (const UfmPenalty penalty : kPenalties)
      for (const int dim : {kSmallDim, kLargeDim}) {
        SCOPED_TRACE(fmt::format("{}, {}, dim {}", backend.name(), to_string(penalty), dim));
        Model zero = random_model(7, dim, 5);
        std::fill(zero.features.begin(), zero.features.end(), 0.0);
        std::fill(zero.classifier.begin(), zero.classifier.end(), 0.0);
        const Settings settings{.steps = 3,
                                .feature_lr = 0.1,
                                .classifier_lr = 0.1,
                                .penalty = penalty,
                                .feature_decay = 0.1,
                                .classifier_decay = 0.1};
        const Model after = descended(backend, zero, settings);
        EXPECT_EQ(after.features, zero.features);
        EXPECT_EQ(after.classifier, zero.classifier);
        for (const double loss : after.losses) EXPECT_NEAR(loss, std::log(5.0), 4 * kUnitRoundoff);
      }
  });
}

TEST(UfmDescent, A_Broken_Sample_Breaks_The_Classifier_Then_Everything) {
  for_each_backend([](Backend& backend) {
    for (const int dim : {kSmallDim, kLargeDim})
      for (const double broken : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
        SCOPED_TRACE(fmt::format("{}, dim {}, {}", backend.name(), dim, broken));
        Model model = random_model(7, dim, 5);
        std::ranges::for_each(model.classifier, [](double& m) { m = std::abs(m) + 0.1; });  // +∞, never −∞
        model.features[static_cast<std::size_t>(4 * dim + 1)] = broken;
        Settings settings{.feature_lr = 0.1, .classifier_lr = 0.1};
        const Model once = descended(backend, model, settings);
        for (std::size_t i = 0; i < 7; ++i) {
          EXPECT_EQ(std::isnan(once.losses[i]), i == 4);
          for (std::size_t k = 0; k < static_cast<std::size_t>(dim); ++k)
            EXPECT_EQ(std::isnan(once.features[i * static_cast<std::size_t>(dim) + k]), i == 4);
        }
        const auto is_nan = [](double x) { return std::isnan(x); };
        EXPECT_TRUE(std::ranges::all_of(once.classifier, is_nan));
        settings.steps = 2;
        const Model twice = descended(backend, model, settings);
        EXPECT_TRUE(std::ranges::all_of(twice.losses, is_nan));
        EXPECT_TRUE(std::ranges::all_of(twice.features, is_nan));
      }
  });
}

TEST(UfmDescent, Overflows_For_No_Finite_Logits) {
  // Logits ±1e30 with the label at the top, then at the bottom.
  const Model point{
      .samples = 2, .dim = 1, .classes = 2, .features = {1e15, 1e15}, .classifier = {1e15, -1e15}};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Model stepped = descended(backend, point, {});
    EXPECT_EQ(stepped.losses[0], 0.0);
    EXPECT_NEAR(stepped.losses[1], 2e30, 2e30 * 8 * kUnitRoundoff);
    for (const double z : stepped.features) EXPECT_EQ(z, static_cast<double>(1e15F));  // the rates are 0
  });
}

TEST(UfmDescent, Many_Steps_Are_As_Many_Single_Ones) {
  // Bit for bit: between steps the state has the dtype of storage. (Of kNorm the sums of squares are added in
  // another order when an op begins.)
  for_each_backend([](Backend& backend) {
    for (const UfmPenalty penalty : {UfmPenalty::kSquared, UfmPenalty::kSphere})
      for (const int dim : {kSmallDim, kLargeDim}) {
        SCOPED_TRACE(fmt::format("{}, {}, dim {}", backend.name(), to_string(penalty), dim));
        const DType real = backend.name() == "reference" ? DType::kF64 : DType::kF32;
        Settings settings{.steps = 4,
                          .feature_lr = 0.1,
                          .classifier_lr = 0.1,
                          .penalty = penalty,
                          .feature_decay = 0.1,
                          .classifier_decay = 0.1};
        const Model point = random_model(9, dim, 5);
        const Model at_once = descended(backend, point, settings, real);
        settings.steps = 1;
        Model one_by_one = point;
        for (int step = 0; step < 4; ++step) one_by_one = descended(backend, one_by_one, settings, real);
        EXPECT_EQ(at_once.features, one_by_one.features);
        EXPECT_EQ(at_once.classifier, one_by_one.classifier);
        EXPECT_EQ(at_once.losses, one_by_one.losses);
      }
  });
}

TEST(UfmDescent, Follows_The_Oracle_In_Fp64) {
  // The tolerance is of first order in the unit roundoff, of which double has 2⁻²⁹.
  for_each_backend([](Backend& backend) {
    if (backend.precision() != Precision::kFp32) return;  // nothing in double is rounded to anything else
    for (const UfmDescentCase& c : Cases::cases()) {
      if (c.is_rounded()) continue;
      SCOPED_TRACE(fmt::format("{}, case {}", backend.name(), Cases::name(c)));
      const Operands operands = Cases::make_inputs(c, Draw(20260103, 2));
      const Outcome expected = run_case<UfmDescent>(oracle(), c, operands, kOraclePlacing);
      const Outcome actual = run_case<UfmDescent>(backend, c, operands, {.real = DType::kF64});
      for (std::size_t i = 0; i < expected.results.size(); ++i) {
        const Result& wanted = expected.results[i];
        const double tolerance = Cases::tolerance(c, wanted.name).absolute * 0x1p-29;
        const Comparison comparison =
            compare(wanted.values, actual.results[i].values, {.absolute = tolerance}, wanted.zero_reference);
        EXPECT_TRUE(comparison) << wanted.name << ": " << comparison.message;
      }
      if (::testing::Test::HasFailure()) return;
    }
  });
}

/// Calls body(backend in bf16, the same in fp32) for the backends that multiply in bf16.
template <class Body>
void for_each_bf16_backend(const Body& body) {
  for (const std::string& name : available_backends()) {
    if (name != "simt" && name != "cuda") continue;
    SCOPED_TRACE(name);
    body(backend_named(name, Precision::kBf16), backend_named(name));
  }
}

TEST(UfmDescent, Multiplies_Factors_Rounded_To_Bf16_Where_It_Is_Large) {
  constexpr int kRuns = 3;
  for_each_bf16_backend([](Backend& backend, Backend& in_fp32) {
    int count = 0;
    for (const UfmDescentCase& c : Cases::cases()) {
      if (c.precision != Precision::kBf16) continue;
      ++count;
      SCOPED_TRACE(Cases::name(c));
      const Operands operands = Cases::make_inputs(c, Draw(20260105, kRuns));
      const Outcome expected = run_case<UfmDescent>(oracle(), c, operands, kOraclePlacing);
      const Outcome actual = run_case<UfmDescent>(backend, c, operands);
      const Outcome again = [&] {
        const Schedule other(other_seed());
        return run_case<UfmDescent>(backend, c, operands);
      }();
      const Outcome full = run_case<UfmDescent>(in_fp32, c, operands);
      std::vector<Outcome> alone;
      for (int run = 0; run < kRuns; ++run)
        alone.push_back(run_case<UfmDescent>(backend, c, operands.run(run)));
      for (const std::string& fault : actual.faults) ADD_FAILURE() << fault;
      for (std::size_t i = 0; i < expected.results.size(); ++i) {
        const Result& wanted = expected.results[i];
        const HostTensor& values = actual.results[i].values;
        const Comparison comparison = compare(wanted.values, values, Cases::tolerance(c, wanted.name));
        EXPECT_TRUE(comparison) << wanted.name << ": " << comparison.message;
        EXPECT_TRUE(compare_bits(values, again.results[i].values)) << wanted.name << " the second time";
        EXPECT_FALSE(compare_bits(values, full.results[i].values)) << wanted.name << " has the bits of fp32";
        for (int run = 0; run < kRuns; ++run)
          EXPECT_TRUE(
              compare_bits(alone[static_cast<std::size_t>(run)].results[i].values, run_of(values, run)))
              << wanted.name << " of run " << run << " alone";
      }
    }
    EXPECT_GE(count, 3);
  });
}

TEST(UfmDescent, Stays_In_Fp32_Where_It_Is_Small_Or_Fp64_Whatever_The_Precision) {
  for_each_bf16_backend([](Backend& backend, Backend& in_fp32) {
    for (const auto& [dim, real] : {std::pair(kSmallDim, DType::kF32), std::pair(kLargeDim, DType::kF64)}) {
      const Settings settings{.steps = 3, .feature_lr = 0.1, .classifier_lr = 0.1};
      const Model point = random_model(9, dim, 5);
      const Model actual = descended(backend, point, settings, real);
      const Model expected = descended(in_fp32, point, settings, real);
      EXPECT_EQ(actual.features, expected.features);
      EXPECT_EQ(actual.classifier, expected.classifier);
      EXPECT_EQ(actual.losses, expected.losses);
    }
  });
}

TEST(UfmDescent, Adds_Up_The_Chunks_Of_Many_Samples_In_Bf16) {
  // Two chunks of a GPU, the last one of one sample. A sum over the samples has their number in its bound.
  const UfmDescentCase c{.samples = 16'897,
                         .dim = 1,
                         .classes = 2,
                         .steps = 2,
                         .is_composed = true,
                         .precision = Precision::kBf16};
  const Operands operands = Cases::make_inputs(c, Draw(20260106));
  const Outcome expected = run_case<UfmDescent>(oracle(), c, operands, kOraclePlacing);
  const Outcome actual = run_case<UfmDescent>(backend_named("simt", Precision::kBf16), c, operands);
  for (const std::string& fault : actual.faults) ADD_FAILURE() << fault;
  for (std::size_t i = 0; i < expected.results.size(); ++i) {
    const Result& wanted = expected.results[i];
    const Comparison comparison =
        compare(wanted.values, actual.results[i].values, Cases::tolerance(c, wanted.name));
    EXPECT_TRUE(comparison) << wanted.name << ": " << comparison.message;
  }
}

TEST(UfmDescent, Adds_Up_The_Chunks_Of_Many_Samples) {
  // Two chunks of a GPU (16,896 samples each), 17 of the cpu, the last ones of one sample and of 513.
  const UfmDescentCase c{.samples = 16'897, .dim = 1, .classes = 2, .penalty = UfmPenalty::kNorm};
  const Operands operands = Cases::make_inputs(c, Draw(20260104));
  const Outcome expected = run_case<UfmDescent>(oracle(), c, operands, kOraclePlacing);
  for (const std::string_view name : {"cpu", "simt"}) {
    SCOPED_TRACE(name);
    const Outcome actual = run_case<UfmDescent>(backend_named(std::string(name)), c, operands);
    for (const std::string& fault : actual.faults) ADD_FAILURE() << fault;
    for (std::size_t i = 0; i < expected.results.size(); ++i) {
      const Result& wanted = expected.results[i];
      const Comparison comparison =
          compare(wanted.values, actual.results[i].values, Cases::tolerance(c, wanted.name));
      EXPECT_TRUE(comparison) << wanted.name << ": " << comparison.message;
    }
  }
}

TEST(UfmDescent, Names_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const UfmDescent sound{.features = bench.empty({4, 3}),
                         .classifier = bench.empty({5, 3}),
                         .labels = bench.integers({4}, DType::kI32, {0, 1, 2, 3}),
                         .losses = bench.empty({4})};
  sound.check();
  const auto expect = [&](auto spoil, std::initializer_list<std::string_view> words) {
    UfmDescent op = sound;
    spoil(op);
    expect_error<ShapeError>([&] { op.check(); }, words);
  };
  expect([](UfmDescent& op) { op.labels = {}; }, {"UfmDescent", "labels is missing"});
  expect([&](UfmDescent& op) { op.classifier = bench.empty({5, 4}); }, {"classifier", "[5,4]", "[5,3]"});
  expect([&](UfmDescent& op) { op.losses = bench.empty({5}); }, {"losses", "[5]", "[4]"});
  expect([](UfmDescent& op) { op.labels = op.losses; }, {"labels", "int32"});
  expect([](UfmDescent& op) { op.steps = 0; }, {"0 steps", "at least 1"});
  expect([&](UfmDescent& op) { op.losses = bench.blank({.shape = {4}, .dtype = DType::kF64}); },
         {"losses", "fp64", "fp32"});
}

}  // namespace
}  // namespace gnc::tests
