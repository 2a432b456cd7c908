/// Gradients in the inputs of whole networks: against differences in double, against the oracle on every
/// backend, and of an ensemble against runs alone. Layer by layer: test_modules.cpp.

#include "engine/input_gradient.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "engine/parameter_arena.h"
#include "models/classification_network.h"
#include "models/densenet.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradient_check.h"

namespace gnc::tests {
namespace {

constexpr int kBatch = 2, kClasses = 4, kFeatures = 3;

struct NetworkCase {
  std::string name;
  std::string backbone;  // "densenet": a small one
  BackboneOptions options;
  HeadOptions head = {.feature_dim = kFeatures, .num_classes = kClasses};
};

void PrintTo(const NetworkCase& network_case, std::ostream* out) { *out << network_case.name; }

BackboneEntry entry_of(const NetworkCase& tested) {
  if (tested.backbone != "densenet") return find_backbone(tested.backbone);
  return {.name = "densenet",
          .description = "",
          .minimum_image_size = 1,
          .build = densenet({.growth = 2, .layers = {2, 1, 1}, .stem_channels = 3})};
}

/// A network on a backend, its `runs` runs being those of the seeds `first_run`, `first_run` + 1, …
class Subject {
 public:
  Subject(const NetworkCase& tested, Backend& backend, DType dtype, int runs, int first_run = 0,
          double perturbation = 0)
      : backend_(backend),
        dtype_(dtype),
        first_run_(first_run),
        perturbation_(perturbation),
        network_(build_classification_network(entry_of(tested), tested.options, tested.head)),
        parameters_(*network_, backend, runs, dtype),
        arena_(backend.memory(), std::size_t{16} << 20) {
    for (int run = 0; run < runs; ++run) {
      parameters_.initialize(run, 0);
      for (const auto* list : {&parameters_.trained(), &parameters_.buffers()})
        for (const ParameterArena::Entry& entry : *list) {
          const Shape& shape = entry.parameter->shape;
          const bool is_variance = entry.name.ends_with("running_var");
          const bool is_frame = entry.parameter->kind == ParameterKind::kBuffer && shape.rank() == 2;
          const RandomStream law(1, entry.name, static_cast<std::uint64_t>(first_run + run));
          parameters_.write(entry.parameter->value, run,
                            filled(shape, entry.name, run, [&, i = std::uint64_t{0}]() mutable {
                              const std::uint64_t at = i++;
                              if (is_variance) return 0.5 + 1.5 * law.uniform(at);
                              if (is_frame) return law.normal(at);
                              if (entry.parameter->kind == ParameterKind::kBuffer)
                                return 0.5 * law.uniform(at) - 0.25;
                              return entry.parameter->initializer.draw(law, at) + 0.1 * law.normal(at);
                            }));
        }
    }
    const BackboneOptions& options = tested.options;
    x_ = images({kBatch, options.image_channels, options.image_size, options.image_size}, runs);
  }

  Network& network() { return *network_; }
  const Tensor& x() const { return x_.view(); }
  InputDifferentiation differentiation() {
    return {*network_, backend_, arena_, LeasedTensor::borrowed(x_.view())};
  }
  /// Weights of outputs [N,width], the same for every run and backend.
  DeviceTensor weights(int width) {
    const RandomStream law(1, "weights");
    HostTensor tensor({.shape = Shape({kBatch, width}, x().runs()), .dtype = dtype_});
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(kBatch * width * x().runs()); ++i)
      set(tensor, i, law.normal(i % static_cast<std::uint64_t>(kBatch * width)));
    return upload(backend_.memory(), tensor);
  }
  /// Of one run, row-major, as doubles.
  std::vector<double> read(const Tensor& tensor, int run) {
    backend_.synchronize();
    return as_doubles(download(tensor.run(run)).in_layout(Layout::kRowMajor));
  }

 private:
  void set(HostTensor& tensor, std::uint64_t i, double value) const {
    if (dtype_ == DType::kF64)
      tensor.values<double>()[i] = value;
    else
      tensor.values<float>()[i] = static_cast<float>(value);
  }
  /// Numbers of `law`, the same in fp32 and fp64, moved by a relative error of up to the perturbation.
  template <class Law>
  HostTensor filled(const Shape& shape, const std::string& name, int run, Law law) const {
    const RandomStream error(9, "perturbation of " + name, static_cast<std::uint64_t>(first_run_ + run));
    HostTensor tensor({.shape = shape, .dtype = dtype_});
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(shape.elements()); ++i)
      set(tensor, i, static_cast<float>(law()) * (1 + perturbation_ * (2 * error.uniform(i) - 1)));
    return tensor;
  }
  DeviceTensor images(const Shape& shape, int runs) {
    DeviceTensor all(backend_.memory(),
                     {.shape = shape.with_runs(runs), .dtype = dtype_, .layout = backend_.image_layout()});
    for (int run = 0; run < runs; ++run) {
      const RandomStream law(1, "x", static_cast<std::uint64_t>(first_run_ + run));
      const HostTensor one = filled(shape, "x", run, [&, i = std::uint64_t{0}]() mutable {
                               return law.normal(i++);
                             }).in_layout(backend_.image_layout());
      const Tensor place = all.view().run(run);
      backend_.memory().upload(place.raw(), one.bytes().data(), one.bytes().size());
    }
    return all;
  }

  Backend& backend_;
  DType dtype_;
  int first_run_;
  double perturbation_;
  std::unique_ptr<Network> network_;
  ParameterArena parameters_;
  Arena arena_;
  DeviceTensor x_;
};

class InputGradientOf : public ::testing::TestWithParam<NetworkCase> {};

/// Finite differences of the weighted outputs in some pixels of each run. The networks are piecewise linear
/// but for the sphere; differences of 1e-6 leave ε·|L|/h ≈ 1e-10·|L|, and 1e-12·|L'''| on the sphere.
TEST_P(InputGradientOf, Matches_Differences) {
  constexpr int kRuns = 2;
  constexpr double kStep = 1e-6;
  Subject subject(GetParam(), backend_named("reference"), DType::kF64, kRuns);
  const DeviceTensor logit_weights = subject.weights(kClasses), feature_weights = subject.weights(kFeatures);
  const auto sum = [&](const Tensor& outputs, const Tensor& weights, int run) {
    const std::vector<double> values = subject.read(outputs, run), factors = subject.read(weights, run);
    double result = 0;
    for (std::size_t i = 0; i < values.size(); ++i) result += values[i] * factors[i];
    return result;
  };
  const InputDifferentiation at = subject.differentiation();
  const LeasedTensor of_logits = at.of_logits(logit_weights.view());
  const LeasedTensor of_features = at.of_features(feature_weights.view());
  const std::int64_t elements = subject.x().shape().elements();
  double largest = 0;
  for (int run = 0; run < kRuns; ++run)
    for (std::int64_t i = 0; i < elements; i += std::max<std::int64_t>(1, elements / 7)) {
      double& pixel = subject.x().data<double>(run)[i];
      const double kept = pixel;
      double logits[2], features[2];
      for (const int side : {0, 1}) {
        pixel = kept + (side == 0 ? -kStep : kStep);
        const InputDifferentiation moved = subject.differentiation();
        logits[side] = sum(moved.logits(), logit_weights.view(), run);
        features[side] = sum(moved.features(), feature_weights.view(), run);
      }
      pixel = kept;
      const double expected = (logits[1] - logits[0]) / (2 * kStep);
      EXPECT_NEAR(of_logits.tensor().data<double>(run)[i], expected, 1e-6 * (1 + std::abs(expected)));
      const double in_features = (features[1] - features[0]) / (2 * kStep);
      EXPECT_NEAR(of_features.tensor().data<double>(run)[i], in_features, 1e-6 * (1 + std::abs(in_features)));
      largest = std::max({largest, std::abs(expected), std::abs(in_features)});
    }
  EXPECT_GT(largest, 1e-3) << "the pixels have no influence: the check says nothing";
}

/// In fp32 within what rounding does: measured on the oracle, as a relative perturbation δ of all weights and
/// pixels is as good as the rounding of sums of K products where δ = u·√(3K/2), with 8 to spare for the
/// largest of a few hundred numbers (tests/models/test_backbones.cpp derives it).
TEST_P(InputGradientOf, Is_The_Oracles_On_Every_Backend) {
  constexpr double kPerturbation = 1e-7, kToSpare = 8, kLongestSum = 9 * 512;
  const auto gradient_of = [](Subject& subject) {
    const DeviceTensor weights = subject.weights(kClasses);
    return subject.read(subject.differentiation().of_logits(weights.view()).tensor(), 0);
  };
  Backend& oracle = backend_named("reference");
  Subject exact(GetParam(), oracle, DType::kF64, 1),
      moved(GetParam(), oracle, DType::kF64, 1, 0, kPerturbation);
  const std::vector<double> expected = gradient_of(exact), perturbed = gradient_of(moved);
  double change = 0, largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    change = std::max(change, std::abs(expected[i] - perturbed[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  const double bound = kToSpare * kUnitRoundoff * std::sqrt(1.5 * kLongestSum) / kPerturbation * change;
  ASSERT_LT(bound, 0.1 * largest) << "the bound says nothing";
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Subject subject(GetParam(), backend, DType::kF32, 1);
    const std::vector<double> actual = gradient_of(subject);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(actual[i], expected[i], bound) << i;
  });
}

TEST_P(InputGradientOf, Of_A_Run_Has_The_Bits_Of_The_Run_Alone_And_Every_Time) {
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Subject ensemble(GetParam(), backend, DType::kF32, 2);
    const DeviceTensor weights = ensemble.weights(kClasses);
    const InputDifferentiation at = ensemble.differentiation();
    const LeasedTensor first = at.of_logits(weights.view()), again = at.of_logits(weights.view());
    for (int run = 0; run < 2; ++run) {
      Subject alone(GetParam(), backend, DType::kF32, 1, run);
      const DeviceTensor its_weights = alone.weights(kClasses);
      const InputDifferentiation of_run = alone.differentiation();
      const std::vector<double> gradient = ensemble.read(first.tensor(), run);
      EXPECT_EQ(gradient, alone.read(of_run.of_logits(its_weights.view()).tensor(), 0)) << "run " << run;
      EXPECT_EQ(gradient, ensemble.read(again.tensor(), run)) << "run " << run;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(
    Networks, InputGradientOf,
    ::testing::Values(
        NetworkCase{"Mlp", "mlp", {.image_channels = 2, .image_size = 3, .width = 0.02}},
        NetworkCase{"MlpOnASphere",
                    "mlp",
                    {.image_channels = 1, .image_size = 4, .width = 0.02},
                    {.feature_dim = kFeatures,
                     .num_classes = kClasses,
                     .has_unit_features = true,
                     .temperature = 0.5}},
        NetworkCase{"Vgg11", "vgg11", {.image_channels = 1, .image_size = 32, .width = 0.05}},
        NetworkCase{
            "Vgg11BnLearned",
            "vgg11_bn",
            {.image_channels = 1, .image_size = 32, .width = 0.05},
            {.feature_dim = kFeatures, .num_classes = kClasses, .classifier = ClassifierKind::kLearned}},
        NetworkCase{"ResNet18", "resnet18", {.image_channels = 1, .image_size = 12, .width = 0.05}},
        NetworkCase{"ResNet20", "resnet20", {.image_channels = 2, .image_size = 8, .width = 0.15}},
        NetworkCase{"DenseNet", "densenet", {.image_channels = 1, .image_size = 9}}),
    [](const ::testing::TestParamInfo<NetworkCase>& tested) { return tested.param.name; });

}  // namespace
}  // namespace gnc::tests
