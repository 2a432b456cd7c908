/// Heads behind a backbone: their parameters, and gradients by finite differences in double.

#include "models/classification_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/modules/conv2d.h"
#include "engine/modules/flatten.h"
#include "engine/modules/sequential.h"
#include "engine/parameter_arena.h"
#include "engine/random.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/expect_error.h"
#include "tests/support/gradient_check.h"

namespace gnc::tests {
namespace {

constexpr int kBatch = 5, kClasses = 4, kFeatures = 8;

/// One convolution, [N,1,2,2] to [N,8].
Backbone one_layer(const BackboneOptions&) {
  auto module = std::make_unique<Sequential>();
  module->add("0",
              std::make_unique<Conv2d>(Conv2d::Options{.in_channels = 1,
                                                       .out_channels = 2,
                                                       .geometry = {.kernel = 3, .stride = 1, .padding = 1},
                                                       .input_gradient = InputGradient::kSkip}));
  module->add("", std::make_unique<Flatten>());
  return {.module = std::move(module), .features = kFeatures};
}

std::unique_ptr<Network> build(const HeadOptions& head) {
  const BackboneEntry backbone{
      .name = "one layer", .description = "for tests", .minimum_image_size = 2, .build = one_layer};
  return build_classification_network(backbone, {}, head);
}

std::vector<std::string> parameters_of(const HeadOptions& head) {
  std::vector<std::string> names;
  build(head)->visit("", [&](const std::string& name, Parameter& parameter) {
    names.push_back(name + (parameter.kind == ParameterKind::kTrained ? "" : " (buffer)"));
  });
  return names;
}

using Names = std::vector<std::string>;

TEST(ClassificationNetwork, Shows_The_Parameters_That_Its_Head_Has) {
  EXPECT_EQ(
      parameters_of({.feature_dim = 3, .num_classes = kClasses}),
      (Names{"0.weight", "0.bias", "projection.weight", "projection.bias", "classifier.weight (buffer)"}));
  EXPECT_EQ(parameters_of({.feature_dim = kFeatures, .num_classes = kClasses}),
            (Names{"0.weight", "0.bias", "classifier.weight (buffer)"}));
  EXPECT_EQ(
      parameters_of({.feature_dim = kFeatures, .num_classes = kClasses, .projection = Projection::kAlways}),
      (Names{"0.weight", "0.bias", "projection.weight", "projection.bias", "classifier.weight (buffer)"}));
  EXPECT_EQ(parameters_of({.feature_dim = kFeatures,
                           .num_classes = kClasses,
                           .classifier = ClassifierKind::kLearned,
                           .projection = Projection::kNone}),
            (Names{"0.weight", "0.bias", "classifier.weight", "classifier.bias"}));
  EXPECT_EQ(parameters_of({.feature_dim = kFeatures,
                           .num_classes = kClasses,
                           .classifier = ClassifierKind::kLearned,
                           .bias = Bias::kNo}),
            (Names{"0.weight", "0.bias", "classifier.weight"}));
}

TEST(ClassificationNetwork, Names_Both_Dimensions_Where_None_Is_To_Be_Projected) {
  expect_error<UsageError>(
      [] { build({.feature_dim = 3, .num_classes = kClasses, .projection = Projection::kNone}); },
      {"--projection none", "8 features", "takes 3"});
  expect_error<UsageError>([] { build({.feature_dim = 3, .num_classes = kClasses, .temperature = 0}); },
                           {"--temperature 0"});
}

/// A network with parameters, input and labels, in double on the oracle.
class Problem {
 public:
  explicit Problem(const HeadOptions& head)
      : network_(build(head)),
        parameters_(*network_, backend(), 1, DType::kF64),
        arena_(backend().memory(), std::size_t{1} << 20),
        losses_(backend().memory(), {.shape = {kBatch}, .dtype = DType::kF64}) {
    parameters_.initialize(0, 5);
    if (head.classifier == ClassifierKind::kFixed) {
      const Tensor& weights = parameters_.find("classifier.weight").parameter->value;
      parameters_.write(weights, 0, normals("frame", weights.shape()));
    }
    HostTensor labels(TensorSpec{.shape = {kBatch}, .dtype = DType::kI32});
    for (int b = 0; b < kBatch; ++b)
      labels.values<std::int32_t>()[static_cast<std::size_t>(b)] = b % kClasses;
    labels_ = upload(backend().memory(), labels);
    x_ = upload(backend().memory(), normals("x", {kBatch, 1, 2, 2}).in_layout(backend().image_layout()));
  }

  static Backend& backend() { return backend_named("reference"); }
  Network& network() { return *network_; }
  ParameterArena& parameters() { return parameters_; }

  /// The mean loss with the gradients of all parameters left behind.
  double differentiate(const LossFunction& loss) {
    Pass pass(backend(), arena_, Mode::kTrain);
    network_->differentiate(LeasedTensor::borrowed(x_.view()),
                            {.loss = loss, .labels = labels_.view(), .losses = losses_.view()}, pass);
    EXPECT_TRUE(pass.is_empty());
    double mean = 0;
    const HostTensor losses = download(losses_.view());
    for (const double value : losses.values<double>()) mean += value / kBatch;
    return mean;
  }
  LeasedTensor features() {
    Pass pass(backend(), arena_, Mode::kEvaluate);
    return network_->forward_with_features(LeasedTensor::borrowed(x_.view()), pass).features;
  }

 private:
  static HostTensor normals(std::string_view name, const Shape& shape) {
    const RandomStream stream(3, name);
    HostTensor tensor(TensorSpec{.shape = shape, .dtype = DType::kF64});
    std::uint64_t i = 0;
    for (double& value : tensor.values<double>()) value = stream.normal(i++);
    return tensor;
  }

  std::unique_ptr<Network> network_;
  ParameterArena parameters_;
  Arena arena_;
  DeviceTensor losses_;
  DeviceTensor labels_;
  DeviceTensor x_;
};

TEST(ClassificationNetwork, Gradients_Of_Every_Head_Are_Those_Of_The_Mean_Loss) {
  const HeadOptions fixed{.feature_dim = 3, .num_classes = kClasses};
  HeadOptions fixed_on_sphere = fixed, bare = fixed, learned = fixed, learned_on_sphere = fixed;
  fixed_on_sphere.has_unit_features = true;
  fixed_on_sphere.temperature = 0.5;
  bare.feature_dim = kFeatures;
  learned.classifier = learned_on_sphere.classifier = ClassifierKind::kLearned;
  learned_on_sphere.has_unit_features = true;
  learned_on_sphere.bias = Bias::kNo;
  const LossFunction plain, smoothed{.label_smoothing = 0.1F}, squared{.kind = LossKind::kSquaredError},
      focal{.kind = LossKind::kFocal};
  for (const auto& [head, loss] :
       {std::pair(fixed, plain), std::pair(fixed, squared), std::pair(fixed_on_sphere, plain),
        std::pair(bare, smoothed), std::pair(learned, focal), std::pair(learned_on_sphere, squared)}) {
    SCOPED_TRACE(fmt::format("loss {}, classifier {}, d = {}, sphere {}", static_cast<int>(loss.kind),
                             static_cast<int>(head.classifier), head.feature_dim, head.has_unit_features));
    Problem problem(head);
    for (const auto& entry : problem.parameters().trained()) {
      const Parameter& parameter = *entry.parameter;
      const HostTensor before = problem.parameters().read(parameter.value, 0);
      problem.differentiate(loss);
      const HostTensor gradient = problem.parameters().read(parameter.gradient, 0);
      const auto loss_at = [&](std::span<const double> at) {
        HostTensor values(before.spec());
        std::ranges::copy(at, values.values<double>().begin());
        problem.parameters().write(parameter.value, 0, values);
        return problem.differentiate(loss);
      };
      // The four-point formula is wrong by step⁴·f⁽⁵⁾/30, and rounds to about 1e-15 / step = 5e-12. On the
      // sphere f⁽⁵⁾ grows as 5!/(τ·‖z‖⁵): with the shortest feature of norm about 0.1 some 1e7, so that the
      // step must be short: 2e-4 gives 1e-9.
      const GradientCheck check = {.difference = Difference::kFourPoint,
                                   .step = 2e-4,
                                   .tolerance = {.absolute = 1e-8, .relative = 1e-7}};
      const Comparison comparison =
          check_gradient(loss_at, before.values<double>(), gradient.values<double>(), check);
      EXPECT_TRUE(comparison) << entry.name << ": " << comparison.message;
      problem.parameters().write(parameter.value, 0, before);
    }
  }
}

TEST(ClassificationNetwork, Unit_Features_Lie_On_The_Sphere_Of_Radius_One_Over_The_Temperature) {
  Problem problem(
      {.feature_dim = 3, .num_classes = kClasses, .has_unit_features = true, .temperature = 0.25});
  const LeasedTensor leased = problem.features();
  const HostTensor features = download(leased.tensor());
  for (int n = 0; n < kBatch; ++n) {
    double square = 0;
    for (int k = 0; k < 3; ++k)
      square += std::pow(features.values<double>()[static_cast<std::size_t>(n * 3 + k)], 2);
    EXPECT_NEAR(std::sqrt(square), 4, 1e-12) << n;
  }
}

TEST(ClassificationNetwork, A_Learned_Classifier_Starts_As_PyTorchs_Linear) {
  Problem problem({.feature_dim = 3, .num_classes = kClasses, .classifier = ClassifierKind::kLearned});
  const double bound = 1 / std::sqrt(3.0);  // U(±1/√d) for weight and bias
  for (const char* name : {"classifier.weight", "classifier.bias"}) {
    const HostTensor values = problem.parameters().read(problem.parameters().find(name).parameter->value, 0);
    const auto [low, high] = std::ranges::minmax(values.values<double>());
    EXPECT_GE(low, -bound) << name;
    EXPECT_LE(high, bound) << name;
    EXPECT_GT(high - low, 0.2) << name;
  }
}

}  // namespace
}  // namespace gnc::tests
