/// Every rung of the kernels of the unconstrained feature model, on the cases of
/// tests/ops/cases/ufm_descent.h, against the reference backend.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <tuple>
#include <vector>

#include "engine/backends/reference/reference_backend.h"
#include "engine/random.h"
#include "kernels/ufm_descent.h"
#include "kernels/ufm_logits.h"
#include "kernels/ufm_product.h"
#include "kernels/ufm_step.h"
#include "tests/kernels/kernel_test.h"
#include "tests/ops/cases/ufm_descent.h"

namespace gnc {
namespace {

using tests::DeviceArray;
using tests::UfmDescentCase;
using Cases = tests::OpCases<UfmDescent>;

constexpr int kRuns = 3;

Backend& reference() {
  static const std::unique_ptr<Backend> backend = open_reference_backend();
  return *backend;
}

template <class T>
class UfmDescentKernel : public tests::KernelTest {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(UfmDescentKernel, Reals);

template <class T>
using Args = kernels::UfmDescentArgs<T>;
template <class T>
using Version = kernels::KernelVersion<Args<T>>;

/// Tolerances are of first order in the unit roundoff, which is 2⁻²⁹ times as large in double.
template <class T>
constexpr double kRoundoffRatio = std::is_same_v<T, float> ? 1.0 : 0x1p-29;

template <class T>
std::vector<T> numbers(const HostTensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

/// Features, classifier and losses after the steps.
template <class T>
struct Result {
  std::vector<T> features, classifier, losses;
  friend bool operator==(const Result&, const Result&) = default;
};

template <class T>
bool has_same_bits(const Result<T>& a, const Result<T>& b) {
  return tests::has_same_bits(a.features, b.features) && tests::has_same_bits(a.classifier, b.classifier) &&
         tests::has_same_bits(a.losses, b.losses);
}

/// The rates come from the case's own op, on the oracle.
template <class T>
Result<T> run_kernel(const UfmDescentCase& c, const tests::Operands& operands, const Version<T>& version) {
  const tests::PlacedOperands placed(reference(), operands, tests::kOraclePlacing);
  const UfmDescent op = Cases::bind(c, placed);
  return tests::run_twice([&] {
    DeviceArray<T> features(numbers<T>(operands.list[0].values)),
        classifier(numbers<T>(operands.list[1].values));
    DeviceArray<std::int32_t> labels(operands.list[2].values.values<std::int32_t>());
    DeviceArray<T> losses(std::vector<T>(static_cast<std::size_t>(c.samples * operands.runs), T{-1}));
    version.launch(
        {.features = features.data(),
         .classifier = classifier.data(),
         .labels = labels.data(),
         .losses = losses.data(),
         .features_run_stride = std::int64_t{c.samples} * c.dim,
         .classifier_run_stride = std::int64_t{c.classes} * c.dim,
         .labels_run_stride = c.samples,
         .losses_run_stride = c.samples,
         .extents = {c.samples, c.dim, c.classes, operands.runs},
         .steps = op.steps,
         .cross_entropy_scale = static_cast<T>(op.cross_entropy_scale),
         .features_rates = {static_cast<T>(op.feature_lr), static_cast<T>(op.feature_decay)},
         .classifier_rates = {static_cast<T>(op.classifier_lr), static_cast<T>(op.classifier_decay)},
         .penalty = static_cast<kernels::UfmPenaltyKind>(op.penalty),
         .norm = static_cast<T>(op.norm)},
        nullptr);
    return Result<T>{features.download(), classifier.download(), losses.download()};
  });
}

template <class T>
void expect_near(const UfmDescentCase& c, const tests::Result& wanted, const std::vector<T>& actual) {
  const double tolerance = Cases::tolerance(c, wanted.name).absolute * kRoundoffRatio<T>;
  const auto expected = wanted.values.values<double>();
  ASSERT_EQ(expected.size(), actual.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_LE(std::abs(double{actual[i]} - expected[i]), tolerance) << wanted.name << ' ' << i;
}

/// Calls body(case, version) for each case that a block has room for and each rung that takes it.
template <class T, class Body>
void for_each_case(const Body& body) {
  int count = 0;
  for (const UfmDescentCase& c : Cases::cases()) {
    const kernels::UfmExtents extents{c.samples, c.dim, c.classes, kRuns};
    if (c.is_rounded() || !kernels::ufm_descent_accepts<T>(extents)) continue;
    Args<T> args{};
    args.extents = extents;
    for (const Version<T>& version : kernels::ufm_descent_versions<T>()) {
      if (version.accepts != nullptr && !version.accepts(args)) continue;
      SCOPED_TRACE(Cases::name(c) + " " + std::string(version.name));
      body(c, version);
      ++count;
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GE(count, 10) << "cases for each rung";
}

TYPED_TEST(UfmDescentKernel, Descends_As_The_Reference_Does) {
  using T = TypeParam;
  for_each_case<T>([](const UfmDescentCase& c, const Version<T>& version) {
    const tests::Operands operands = Cases::make_inputs(c, tests::Draw(1, kRuns));
    const tests::Outcome expected =
        tests::run_case<UfmDescent>(reference(), c, operands, tests::kOraclePlacing);
    const Result<T> actual = run_kernel<T>(c, operands, version);
    expect_near(c, expected.results[0], actual.features);
    expect_near(c, expected.results[1], actual.classifier);
    expect_near(c, expected.results[2], actual.losses);
  });
}

TYPED_TEST(UfmDescentKernel, Run_Of_An_Ensemble_Is_The_Run_Alone) {
  using T = TypeParam;
  for_each_case<T>([](const UfmDescentCase& c, const Version<T>& version) {
    if (c.samples > 40) return;  // the small ones show it
    const tests::Operands operands = Cases::make_inputs(c, tests::Draw(2, kRuns));
    const Result<T> together = run_kernel<T>(c, operands, version);
    for (int run = 0; run < kRuns; ++run) {
      const Result<T> alone = run_kernel<T>(c, operands.run(run), version);
      const auto expect_part = [&](const std::vector<T>& whole, const std::vector<T>& part) {
        const auto first = whole.begin() + static_cast<std::ptrdiff_t>(part.size()) * run;
        EXPECT_TRUE(std::equal(part.begin(), part.end(), first)) << "run " << run;
      };
      expect_part(together.features, alone.features);
      expect_part(together.classifier, alone.classifier);
      expect_part(together.losses, alone.losses);
    }
  });
}

TYPED_TEST(UfmDescentKernel, Row_In_Registers_Gives_The_Bits_Of_The_Row_In_Memory) {
  using T = TypeParam;
  const auto versions = kernels::ufm_gradient_versions<T>();
  for (const int classes : {1, 5, 33, 100, 500, 1000}) {
    constexpr int kSamples = 11, kOfRuns = 2;
    const RandomStream normal(20240607, "logits");
    std::vector<T> values(static_cast<std::size_t>(classes * kSamples * kOfRuns));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(5 * normal.normal(i));
    std::vector<std::int32_t> of_samples;
    for (int i = 0; i < kSamples; ++i) of_samples.push_back((7 * i) % classes);
    const auto gradients = [&](const kernels::KernelVersion<kernels::UfmGradientArgs<T>>& version) {
      return tests::run_twice([&] {
        DeviceArray<T> logits(values), losses(std::vector<T>(kSamples * kOfRuns, T{-1}));
        DeviceArray<std::int32_t> labels(of_samples);
        version.launch({.logits = logits.data(),
                        .gradients = logits.data(),
                        .labels = labels.data(),
                        .losses = losses.data(),
                        .logits_run_stride = kSamples * classes,
                        .labels_run_stride = 0,
                        .losses_run_stride = kSamples,
                        .cross_entropy_scale = T{0.5},
                        .samples = kSamples,
                        .classes = classes,
                        .columns = classes,
                        .runs = kOfRuns},
                       nullptr);
        return std::pair(logits.download(), losses.download());
      });
    };
    EXPECT_EQ(gradients(versions[0]), gradients(versions[1])) << classes << " classes";
  }
}

/// bf16 of every number, as the upper halves of fp32 numbers.
std::vector<float> rounded(std::span<const float> values) {
  std::vector<float> result;
  for (const float value : values)
    result.push_back(kernels::to_float(kernels::from_float<kernels::Bf16>(value)));
  return result;
}
std::vector<float> widened(const std::vector<kernels::Bf16>& values) {
  std::vector<float> result;
  for (const kernels::Bf16 value : values) result.push_back(kernels::to_float(value));
  return result;
}

std::vector<float> normal_numbers(const char* name, int count) {
  const RandomStream normal(20260608, name);
  std::vector<float> values;
  for (int i = 0; i < count; ++i)
    values.push_back(static_cast<float>(3 * normal.normal(static_cast<std::uint64_t>(i))));
  return values;
}

class RoundedUfm : public tests::KernelTest {};

TEST_F(RoundedUfm, Gradients_Are_Those_Of_Fp32_Rounded_Once_And_Padded_With_Zeros) {
  for (const int classes : {1, 8, 31, 100, 500, 1021}) {
    constexpr int kSamples = 11;
    const int columns = (classes + 7) / 8 * 8;
    const std::vector<float> values = normal_numbers("logits", kSamples * columns);
    std::vector<std::int32_t> of_samples;
    for (int i = 0; i < kSamples; ++i) of_samples.push_back((7 * i) % classes);
    DeviceArray<std::int32_t> labels(of_samples);
    const auto gradients = [&]<class Gradient>(const auto& version, const std::vector<Gradient>& nothing) {
      return tests::run_twice([&] {
        DeviceArray<float> logits(values), losses(std::vector<float>(kSamples, -1.0F));
        DeviceArray<Gradient> out(nothing);
        version.launch({.logits = logits.data(),
                        .gradients = out.data(),
                        .labels = labels.data(),
                        .losses = losses.data(),
                        .logits_run_stride = 0,
                        .labels_run_stride = 0,
                        .losses_run_stride = 0,
                        .cross_entropy_scale = 0.3F,
                        .samples = kSamples,
                        .classes = classes,
                        .columns = columns,
                        .runs = 1},
                       nullptr);
        return std::pair(out.download(), losses.download());
      });
    };
    const std::size_t count = values.size();
    for (std::size_t i = 0; i < 2; ++i) {
      const auto full = gradients(kernels::ufm_gradient_versions<float>()[i], std::vector<float>(count, -1));
      const auto half = gradients(kernels::ufm_gradient_versions<float, kernels::Bf16>()[i],
                                  std::vector<kernels::Bf16>(count));
      EXPECT_EQ(widened(half.first), rounded(full.first)) << classes << " classes";
      EXPECT_EQ(half.second, full.second);
      for (std::size_t j = 0; j < count; ++j) {
        const bool is_padding = static_cast<int>(j) % columns >= classes;
        ASSERT_TRUE(!is_padding || full.first[j] == 0) << "place " << j;
      }
    }
  }
}

TEST_F(RoundedUfm, Every_Rung_Makes_The_Gradients_From_Iterates) {
  struct Size {
    int samples, dim, classes;
  };
  const auto versions = kernels::ufm_logits_versions();
  std::vector<int> uses(versions.size());
  for (const auto& [samples, dim, classes] :
       {Size{1, 8, 2}, Size{65, 8, 5}, Size{70, 40, 100}, Size{130, 104, 128}, Size{67, 40, 130},
        Size{3, 104, 256}, Size{65, 72, 500}, Size{2, 8, 512}, Size{2, 8, 520}}) {
    SCOPED_TRACE(fmt::format("{}x{}x{}", samples, dim, classes));
    constexpr int kOfRuns = 2;
    constexpr float kScale = 0.3F;
    const int columns = (classes + 7) / 8 * 8;
    const auto halves = [](const char* name, int count) {
      std::vector<kernels::Bf16> values;
      for (const float value : normal_numbers(name, count))
        values.push_back(kernels::from_float<kernels::Bf16>(value / 4));
      return values;
    };
    DeviceArray<kernels::Bf16> features(halves("features", kOfRuns * samples * dim)),
        classifier(halves("classifier", kOfRuns * columns * dim));
    std::vector<std::int32_t> of_samples;
    for (int i = 0; i < samples; ++i) of_samples.push_back((7 * i) % classes);
    DeviceArray<std::int32_t> labels(of_samples);
    const auto count = static_cast<std::size_t>(kOfRuns * samples * columns);
    DeviceArray<float> logits(std::vector<float>(count, -1.0F)),
        losses(std::vector<float>(static_cast<std::size_t>(kOfRuns * samples), -1.0F));
    DeviceArray<kernels::Bf16> out(std::vector<kernels::Bf16>(count, kernels::Bf16{1}));
    const kernels::UfmLogitsArgs args{.features = features.data(),
                                      .classifier = classifier.data(),
                                      .features_run_stride = samples * dim,
                                      .classifier_run_stride = columns * dim,
                                      .dim = dim,
                                      .logits = logits.data(),
                                      .gradient = {.logits = logits.data(),
                                                   .gradients = out.data(),
                                                   .labels = labels.data(),
                                                   .losses = losses.data(),
                                                   .logits_run_stride = samples * columns,
                                                   .labels_run_stride = 0,
                                                   .losses_run_stride = samples,
                                                   .cross_entropy_scale = kScale,
                                                   .samples = samples,
                                                   .classes = classes,
                                                   .columns = columns,
                                                   .runs = kOfRuns}};
    const auto gradients = [&](const kernels::KernelVersion<kernels::UfmLogitsArgs>& version) {
      return tests::run_twice([&] {
        out.reset();
        losses.reset();
        version.launch(args, nullptr);
        return std::pair(widened(out.download()), losses.download());
      });
    };
    const auto expected = gradients(versions[0]);
    EXPECT_TRUE(std::ranges::all_of(expected.second, [](float loss) { return loss >= 0; }));
    for (std::size_t rung = 1; rung < versions.size(); ++rung) {
      if (!versions[rung].accepts(args)) continue;
      SCOPED_TRACE(std::string(versions[rung].name));
      ++uses[rung];
      const auto actual = gradients(versions[rung]);
      if (rung == 1) {
        EXPECT_EQ(actual, expected);
        continue;
      }
      // Two sums of the same exponentials, each with `classes` roundings; gradients are then rounded to bf16,
      // which makes neighbours there of what the sums told apart.
      const double of_sum = (2 * classes + 8) * tests::kUnitRoundoff;
      for (std::size_t i = 0; i < count; ++i)
        ASSERT_LE(std::abs(actual.first[i] - expected.first[i]),
                  of_sum * double{kScale} + 2 * tests::kBf16UnitRoundoff * std::abs(expected.first[i]))
            << "place " << i;
      for (std::size_t i = 0; i < expected.second.size(); ++i)
        ASSERT_LE(std::abs(actual.second[i] - expected.second[i]), of_sum * (1 + double{expected.second[i]}));
    }
  }
  EXPECT_EQ(uses, (std::vector<int>{0, 4, 4}));
}

TEST_F(RoundedUfm, Copies_Hold_The_Iterate_Before_And_After_A_Step) {
  constexpr int kRows = 13, kPaddedRows = 16, kDim = 35, kColumns = 40, kOfRuns = 2;
  const std::vector<float> start = normal_numbers("iterate", kRows * kDim * kOfRuns),
                           gradients = normal_numbers("gradients", kRows * kColumns * kOfRuns);
  // An iterate rounded, in padded rows.
  const auto padded = [&](const std::vector<float>& values) {
    std::vector<float> result(kPaddedRows * kColumns * kOfRuns);
    for (int run = 0; run < kOfRuns; ++run)
      for (int row = 0; row < kRows; ++row)
        for (int k = 0; k < kDim; ++k)
          result[static_cast<std::size_t>((run * kPaddedRows + row) * kColumns + k)] =
              values[static_cast<std::size_t>((run * kRows + row) * kDim + k)];
    return rounded(result);
  };
  for (const auto penalty : {kernels::UfmPenaltyKind::kSquared, kernels::UfmPenaltyKind::kSphere}) {
    DeviceArray<float> values(start), of_values(gradients);
    DeviceArray<kernels::Bf16> copy(
        std::vector<kernels::Bf16>(kPaddedRows * kColumns * kOfRuns, kernels::Bf16{1}));
    kernels::ufm_round({.values = values.data(),
                        .rounded = copy.data(),
                        .values_run_stride = kRows * kDim,
                        .rounded_run_stride = kPaddedRows * kColumns,
                        .rows = kRows,
                        .dim = kDim,
                        .padded_rows = kPaddedRows,
                        .columns = kColumns,
                        .runs = kOfRuns},
                       nullptr);
    EXPECT_EQ(widened(copy.download()), padded(start));
    kernels::ufm_step<float>({.values = values.data(),
                              .gradients = of_values.data(),
                              .squares = nullptr,
                              .rounded = copy.data(),
                              .values_run_stride = kRows * kDim,
                              .gradients_run_stride = kRows * kColumns,
                              .rounded_run_stride = kPaddedRows * kColumns,
                              .rates = {0.1F, 0.01F},
                              .penalty = penalty,
                              .norm = 2,
                              .rows = kRows,
                              .dim = kDim,
                              .columns = kColumns,
                              .runs = kOfRuns},
                             nullptr);
    const std::vector<float> stepped = values.download();
    EXPECT_NE(stepped, start);
    EXPECT_EQ(widened(copy.download()), padded(stepped));
  }
}

class UfmProductKernel : public tests::KernelTest {};

TEST_F(UfmProductKernel, Multiplies_As_Is_And_Transposed) {
  constexpr int kRows = 19, kColumns = 33, kDepth = 17, kOfRuns = 2;
  const auto factor = [](int count, const char* name) {
    const RandomStream stream(3, name);
    std::vector<double> values(static_cast<std::size_t>(count * kOfRuns));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = stream.uniform(i) - 0.5;
    return values;
  };
  const std::vector<double> of_a = factor(kRows * kDepth, "a"), of_b = factor(kDepth * kColumns, "b");
  for (const bool is_transposed : {false, true}) {
    const int a_row = is_transposed ? 1 : kDepth, a_column = is_transposed ? kRows : 1;
    const int b_row = is_transposed ? 1 : kColumns, b_column = is_transposed ? kDepth : 1;
    const std::vector<double> product = tests::run_twice([&] {
      DeviceArray<double> a(of_a), b(of_b), c(std::vector<double>(kRows * kColumns * kOfRuns, -1.0));
      kernels::ufm_product({.a = {a.data(), kRows * kDepth, a_row, a_column},
                            .b = {b.data(), kDepth * kColumns, b_row, b_column},
                            .c = c.data(),
                            .c_run_stride = kRows * kColumns,
                            .rows = kRows,
                            .columns = kColumns,
                            .depth = kDepth,
                            .runs = kOfRuns},
                           nullptr);
      return c.download();
    });
    for (int run = 0; run < kOfRuns; ++run)
      for (int i = 0; i < kRows; ++i)
        for (int j = 0; j < kColumns; ++j) {
          double expected = 0;
          for (int k = 0; k < kDepth; ++k)
            expected += of_a[static_cast<std::size_t>(run * kRows * kDepth + i * a_row + k * a_column)] *
                        of_b[static_cast<std::size_t>(run * kDepth * kColumns + k * b_row + j * b_column)];
          // kDepth roundings each of sums of at most kDepth/4, on both sides.
          ASSERT_NEAR(product[static_cast<std::size_t>((run * kRows + i) * kColumns + j)], expected,
                      2 * kDepth * 0x1p-53 * kDepth / 4);
        }
  }
}

}  // namespace
}  // namespace gnc
