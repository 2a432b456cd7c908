/// Every layer's backward pass against finite differences, in double on the reference backend.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>

#include "engine/backend.h"
#include "engine/modules/batch_norm.h"
#include "engine/modules/batch_norm_pool.h"
#include "engine/modules/conv2d.h"
#include "engine/modules/dense_block.h"
#include "engine/modules/flatten.h"
#include "engine/modules/linear.h"
#include "engine/modules/pooling.h"
#include "engine/modules/relu.h"
#include "engine/modules/residual.h"
#include "engine/modules/sequential.h"
#include "engine/parameter_arena.h"
#include "models/backbone.h"
#include "models/densenet.h"
#include "models/fixed_classifier.h"

namespace gnc {
namespace {

struct ModuleCase {
  std::string name;
  std::function<std::unique_ptr<Module>()> build;
  Shape x;
  Layout layout = Layout::kNHWC;
};

void PrintTo(const ModuleCase& module_case, std::ostream* out) { *out << module_case.name; }

/// A module on the reference backend in double with two runs, and the scalar L = Σ weight·y of its output.
class Harness {
 public:
  static constexpr int kRuns = 2;
  static constexpr std::uint64_t kSeed = 11;

  explicit Harness(const ModuleCase& module_case)
      : backend_(open_backend("reference")),
        module_(module_case.build()),
        parameters_(*module_, *backend_, kRuns, DType::kF64),
        arena_(backend_->memory(), std::size_t{64} << 20),
        x_(backend_->memory(),
           {.shape = module_case.x.with_runs(kRuns), .dtype = DType::kF64, .layout = module_case.layout}) {
    for (int run = 0; run < kRuns; ++run)
      parameters_.initialize(run, kSeed + static_cast<std::uint64_t>(run));
    fill(x_.view(), "x", 1.0);
    // Scales and shifts other than 1 and 0, or their gradients could be swapped unseen.
    for (const auto& entry : parameters_.trained()) {
      auto* values = entry.parameter->value.data<double>();
      const RandomStream stream(kSeed, entry.name, 1);
      for (std::int64_t i = 0; i < entry.parameter->value.spec().storage_elements(); ++i)
        values[i] += 0.1 * stream.normal(static_cast<std::uint64_t>(i));
    }
  }

  /// L, with the gradients of x and of the parameters when asked for.
  double loss(DeviceTensor* x_grad = nullptr, Mode mode = Mode::kTrain, LayerObserver* observer = nullptr) {
    Pass pass(*backend_, arena_, mode);
    if (observer != nullptr) pass.observe_with(*observer);
    const LeasedTensor y = module_->forward(LeasedTensor::borrowed(x_.view()), pass);
    LeasedTensor y_grad = pass.lease(y.tensor().spec());
    fill(y_grad.tensor(), "loss weights", 1.0);
    double sum = 0;
    const std::int64_t elements = y.shape().elements() * kRuns;
    for (std::int64_t i = 0; i < elements; ++i)
      sum += y.tensor().data<double>()[i] * y_grad.tensor().data<double>()[i];
    const LeasedTensor gradient = module_->backward(std::move(y_grad), pass);
    EXPECT_TRUE(pass.is_empty());
    if (x_grad != nullptr && gradient) {
      *x_grad = DeviceTensor(backend_->memory(), gradient.tensor().spec());
      backend_->memory().copy(x_grad->view().raw(), gradient.tensor().raw(),
                              gradient.tensor().spec().bytes());
    }
    return sum;
  }

  const DeviceTensor& x() const { return x_; }
  ParameterArena& parameters() { return parameters_; }
  std::size_t leased() const { return arena_.in_use(); }

 private:
  static void fill(const Tensor& tensor, std::string_view purpose, double scale) {
    const RandomStream stream(kSeed, purpose);
    auto* values = tensor.data<double>();
    for (std::int64_t i = 0; i < tensor.shape().elements() * tensor.runs(); ++i)
      values[i] = scale * stream.normal(static_cast<std::uint64_t>(i));
  }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Module> module_;
  ParameterArena parameters_;
  Arena arena_;
  DeviceTensor x_;
};

/// Running statistics other than the 0 and 1 that they start with.
void move_buffers(ParameterArena& parameters) {
  for (const auto& entry : parameters.buffers()) {
    const RandomStream stream(Harness::kSeed, entry.name, 2);
    const bool is_variance = entry.name.ends_with("running_var");
    for (int run = 0; run < Harness::kRuns; ++run)
      for (std::int64_t i = 0; i < entry.parameter->value.spec().storage_elements(); ++i)
        entry.parameter->value.data<double>(run)[i] =
            (is_variance ? 0.5 : -0.25) +
            stream.uniform(static_cast<std::uint64_t>(run * 1000 + i)) * (is_variance ? 1.5 : 0.5);
  }
}

/// Central difference of L in `value`. The modules are piecewise smooth in the inputs used here; a step of
/// 1e-6 gives an error of about h²·|L'''|/6 + ε·|L|/h ≈ 1e-13·|L'''| + 1e-10·|L|, below the tolerance of
/// 1e-6·(1+|gradient|) for losses of up to some hundred.
double difference(Harness& harness, double& value, Mode mode = Mode::kTrain) {
  constexpr double kStep = 1e-6;
  const double kept = value;
  value = kept + kStep;
  const double above = harness.loss(nullptr, mode);
  value = kept - kStep;
  const double below = harness.loss(nullptr, mode);
  value = kept;
  return (above - below) / (2 * kStep);
}

class ModuleGradient : public testing::TestWithParam<ModuleCase> {};

TEST_P(ModuleGradient, MatchesFiniteDifferences) {
  Harness harness(GetParam());
  DeviceTensor x_grad;
  harness.loss(&x_grad);
  // The gradients are overwritten by every loss(), so they are taken aside before the differences begin.
  struct Checked {
    std::string name;
    Tensor value;
    HostTensor gradient;
  };
  std::vector<Checked> all;
  if (x_grad.view()) all.push_back({"x", harness.x().view(), download(x_grad.view())});
  for (const auto& entry : harness.parameters().trained())
    all.push_back({entry.name, entry.parameter->value, download(entry.parameter->gradient)});
  ASSERT_FALSE(all.empty());
  // Of a whole network a few elements of every parameter; a convolution's bias before batch norm has no
  // influence there.
  const bool is_network = all.size() > 20;
  const std::int64_t probes = is_network ? 2 : 7;
  for (const Checked& checked : all) {
    const std::int64_t elements = checked.value.shape().elements();
    double largest = 0;
    for (int run = 0; run < Harness::kRuns; ++run) {
      for (std::int64_t i = 0; i < elements; i += std::max<std::int64_t>(1, elements / probes)) {
        const double gradient =
            checked.gradient.values<double>()[static_cast<std::size_t>(run * elements + i)];
        const double expected = difference(harness, checked.value.data<double>(run)[i]);
        EXPECT_NEAR(gradient, expected, 1e-6 * (1 + std::abs(expected)))
            << checked.name << ", run " << run << ", element " << i;
        largest = std::max(largest, std::abs(expected));
      }
    }
    if (!is_network) {
      EXPECT_GT(largest, 0) << checked.name << " has no influence: the check says nothing";
    }
  }
}

TEST_P(ModuleGradient, OfTheInputInEvaluationMatchesFiniteDifferences) {
  Harness harness(GetParam());
  move_buffers(harness.parameters());
  for (const auto& entry : harness.parameters().trained()) {
    const Tensor& gradient = entry.parameter->gradient;
    for (int run = 0; run < Harness::kRuns; ++run)
      std::fill_n(gradient.data<double>(run), gradient.spec().storage_elements(), 7.0);
  }
  DeviceTensor x_grad;
  harness.loss(&x_grad, Mode::kDifferentiateInput);
  ASSERT_TRUE(x_grad.view());  // even of a first layer, which training spares that
  const HostTensor gradient = download(x_grad.view());
  const std::int64_t elements = harness.x().view().shape().elements();
  double largest = 0;
  for (int run = 0; run < Harness::kRuns; ++run)
    for (std::int64_t i = 0; i < elements; i += std::max<std::int64_t>(1, elements / 7)) {
      const double analytic = gradient.values<double>()[static_cast<std::size_t>(run * elements + i)];
      const double expected =
          difference(harness, harness.x().view().data<double>(run)[i], Mode::kDifferentiateInput);
      EXPECT_NEAR(analytic, expected, 1e-6 * (1 + std::abs(expected))) << "run " << run << ", element " << i;
      largest = std::max(largest, std::abs(expected));
    }
  EXPECT_GT(largest, 0) << "the input has no influence: the check says nothing";
  for (const auto& entry : harness.parameters().trained())
    EXPECT_EQ(entry.parameter->gradient.data<double>()[0], 7.0) << entry.name << " got a gradient";
}

TEST_P(ModuleGradient, GivesBackAllItsMemory) {
  Harness harness(GetParam());
  for (const Mode mode : {Mode::kTrain, Mode::kDifferentiateInput}) {
    harness.loss(nullptr, mode);
    EXPECT_EQ(harness.leased(), 0U);
  }
}

constexpr Conv2dGeometry kThree{.kernel = 3, .stride = 1, .padding = 1};
constexpr Conv2dGeometry kTwo{.kernel = 2, .stride = 2, .padding = 0};

std::unique_ptr<Module> small_stack() {
  auto stack = std::make_unique<Sequential>();
  stack->add("0", std::make_unique<Conv2d>(
                      Conv2d::Options{.in_channels = 2, .out_channels = 3, .geometry = kThree}));
  stack->add("1", std::make_unique<BatchNorm>(3, Activation::kRelu));
  stack->add("3", std::make_unique<MaxPool>(kTwo));
  stack->add("", std::make_unique<Flatten>());
  stack->add("4", std::make_unique<Linear>(Linear::Options{.in_features = 12, .out_features = 5}));
  return stack;
}

std::unique_ptr<Module> convolution(int in_channels, int out_channels, int stride) {
  return std::make_unique<Conv2d>(Conv2d::Options{.in_channels = in_channels,
                                                  .out_channels = out_channels,
                                                  .geometry = {.kernel = 3, .stride = stride, .padding = 1}});
}

std::unique_ptr<Module> named(const std::string& name, std::unique_ptr<Module> module) {
  auto result = std::make_unique<Sequential>();
  result->add(name, std::move(module));
  return result;
}

/// A convolution that leaves room for the dense block behind it.
std::unique_ptr<Module> dense_stack(const DenseBlock::Options& block) {
  auto stack = std::make_unique<Sequential>();
  stack->add("conv", std::make_unique<Conv2d>(Conv2d::Options{.in_channels = 2,
                                                              .out_channels = block.in_channels,
                                                              .geometry = kThree,
                                                              .has_bias = false,
                                                              .room = block.out_channels()}));
  stack->add("block", std::make_unique<DenseBlock>(block));
  return stack;
}

/// ReLU(norm(main(x)) + shortcut(x)), the norm called "bn".
std::unique_ptr<Module> residual(std::unique_ptr<Module> main, int channels,
                                 std::unique_ptr<Module> shortcut = nullptr) {
  return std::make_unique<Residual>(Residual::Branches{
      .main = std::move(main), .norm = "bn", .channels = channels, .shortcut = std::move(shortcut)});
}

std::unique_ptr<Module> subsample(int in_channels, int out_channels, int stride) {
  return std::make_unique<SubsampleShortcut>(
      SubsampleShortcut::Options{.in_channels = in_channels, .out_channels = out_channels, .stride = stride});
}

std::unique_ptr<Module> normalized(const std::string& name, std::unique_ptr<Module> module, int channels) {
  auto result = std::make_unique<Sequential>();
  result->add(name + ".0", std::move(module));
  result->add(name + ".1", std::make_unique<BatchNorm>(channels, Activation::kNone));
  return result;
}

std::unique_ptr<Module> every_other_pixel(int in_channels, int out_channels) {
  return std::make_unique<Conv2d>(Conv2d::Options{.in_channels = in_channels,
                                                  .out_channels = out_channels,
                                                  .geometry = {.kernel = 1, .stride = 2, .padding = 0},
                                                  .has_bias = false});
}

ModuleCase backbone(const std::string& name, const std::string& test_name, const BackboneOptions& options) {
  return {test_name,
          [=] { return find_backbone(name).build(options).module; },
          {4, options.image_channels, options.image_size, options.image_size}};
}

INSTANTIATE_TEST_SUITE_P(
    Layers, ModuleGradient,
    testing::Values(
        ModuleCase{"Conv2d",
                   [] {
                     return std::make_unique<Conv2d>(
                         Conv2d::Options{.in_channels = 3, .out_channels = 2, .geometry = kThree});
                   },
                   {2, 3, 4, 4}},
        ModuleCase{"Conv2dPyTorchInitNoBias",
                   [] {
                     return std::make_unique<Conv2d>(
                         Conv2d::Options{.in_channels = 1,
                                         .out_channels = 2,
                                         .geometry = {.kernel = 3, .stride = 2, .padding = 1},
                                         .has_bias = false,
                                         .init = ConvolutionInit::kPyTorchDefault});
                   },
                   {2, 1, 5, 5}},
        ModuleCase{
            "BatchNorm", [] { return std::make_unique<BatchNorm>(3, Activation::kNone); }, {4, 3, 2, 2}},
        ModuleCase{
            "BatchNormRelu", [] { return std::make_unique<BatchNorm>(3, Activation::kRelu); }, {4, 3, 2, 2}},
        ModuleCase{"BatchNormMaxPool",
                   [] {
                     return std::make_unique<BatchNormMaxPool>(
                         BatchNormMaxPool::Names{.norm = "1", .pool = "3"}, 3, Activation::kRelu);
                   },
                   {4, 3, 4, 6}},
        ModuleCase{"Relu", [] { return std::make_unique<Relu>(); }, {3, 2, 2, 2}},
        ModuleCase{"MaxPool", [] { return std::make_unique<MaxPool>(kTwo); }, {2, 3, 4, 4}},
        ModuleCase{"AveragePool", [] { return std::make_unique<AveragePool>(kTwo); }, {2, 3, 4, 4}},
        ModuleCase{
            "Linear",
            [] { return std::make_unique<Linear>(Linear::Options{.in_features = 5, .out_features = 3}); },
            {4, 5},
            Layout::kRowMajor},
        ModuleCase{"LinearNoBias",
                   [] {
                     return std::make_unique<Linear>(
                         Linear::Options{.in_features = 5, .out_features = 3, .bias = Bias::kNo});
                   },
                   {4, 5},
                   Layout::kRowMajor},
        ModuleCase{"FlattenManyPixels", [] { return std::make_unique<Flatten>(); }, {2, 3, 2, 2}},
        ModuleCase{"FlattenOnePixel", [] { return std::make_unique<Flatten>(); }, {2, 3, 1, 1}},
        ModuleCase{"Stack", small_stack, {3, 2, 4, 4}},
        ModuleCase{"LinearWithoutInputGradient",
                   [] {
                     return std::make_unique<Linear>(Linear::Options{.in_features = 5,
                                                                     .out_features = 3,
                                                                     .init = LinearInit::kSmallNormal,
                                                                     .input_gradient = InputGradient::kSkip});
                   },
                   {4, 5},
                   Layout::kRowMajor},
        ModuleCase{"ResidualIdentity", [] { return residual(convolution(3, 3, 1), 3); }, {2, 3, 4, 4}},
        ModuleCase{"ResidualOfInput",  // its main path gives the very tensor it took
                   [] { return residual(std::make_unique<Sequential>(), 3); },
                   {2, 3, 4, 4}},
        ModuleCase{
            "ResidualProjection",
            [] { return residual(convolution(3, 5, 2), 5, named("downsample.0", convolution(3, 5, 2))); },
            {2, 3, 5, 5}},
        ModuleCase{"ResidualProjectionOfEveryOtherPixel",
                   [] {
                     return residual(normalized("conv", convolution(3, 5, 2), 5), 5,
                                     normalized("downsample", every_other_pixel(3, 5), 5));
                   },
                   {2, 3, 5, 5}},
        ModuleCase{"ResidualSubsample",
                   [] { return residual(convolution(3, 6, 2), 6, subsample(3, 6, 2)); },
                   {2, 3, 5, 5}},
        ModuleCase{"DenseBlock",
                   [] { return dense_stack({.in_channels = 3, .layers = 2, .growth = 2, .bottleneck = 3}); },
                   {2, 2, 4, 3}},
        ModuleCase{"DenseBlockWithoutBottleneck",
                   [] { return dense_stack({.in_channels = 3, .layers = 3, .growth = 1}); },
                   {2, 2, 4, 3}},
        ModuleCase{"DenseNet",
                   [] {
                     return densenet({.growth = 2, .layers = {2, 1, 1}, .stem_channels = 3})(
                                {.image_channels = 1, .image_size = 9})
                         .module;
                   },
                   {2, 1, 9, 9}},
        backbone("mlp", "Mlp", {.image_channels = 2, .image_size = 3, .width = 0.02}),
        backbone("resnet18", "ResNet18", {.image_channels = 1, .image_size = 9, .width = 0.02}),
        backbone("resnet20", "ResNet20", {.image_channels = 2, .image_size = 5, .width = 0.15}),
        backbone("vgg11", "Vgg11", {.image_channels = 1, .image_size = 32, .width = 0.03}),
        backbone("vgg11_bn_head", "Vgg11BnHead", {.image_channels = 1, .image_size = 32, .width = 0.02})),
    [](const testing::TestParamInfo<ModuleCase>& tested) { return tested.param.name; });

class Names final : public LayerObserver {
 public:
  void observe(const std::string& name, const Tensor& y, Pass&) override {
    seen.push_back(name + " " + y.shape().with_runs(1).to_string());
  }
  std::vector<std::string> seen;
};

TEST(BatchNormMaxPool, ShowsBothLayersToObserversAndGivesThemTheSame) {
  const ModuleCase module_case{"BatchNormMaxPool",
                               [] {
                                 return std::make_unique<BatchNormMaxPool>(
                                     BatchNormMaxPool::Names{.norm = "1", .pool = "3"}, 3, Activation::kRelu);
                               },
                               {4, 3, 4, 6}};
  Harness harness(module_case);
  Names names;
  DeviceTensor fused_grad, observed_grad;
  const double fused = harness.loss(&fused_grad);
  EXPECT_EQ(fused, harness.loss(&observed_grad, Mode::kTrain, &names));
  EXPECT_EQ(names.seen, (std::vector<std::string>{"1 [4,3,4,6]", "3 [4,3,2,3]"}));
  const HostTensor expected = download(observed_grad.view()), actual = download(fused_grad.view());
  EXPECT_TRUE(std::ranges::equal(expected.values<double>(), actual.values<double>()));
}

TEST(FixedClassifier, PassesGradientsThroughAndHasNoneItself) {
  const ModuleCase classifier{
      "FixedClassifier", [] { return std::make_unique<FixedClassifier>(3, 5); }, {4, 3}, Layout::kRowMajor};
  Harness harness(classifier);
  ASSERT_TRUE(harness.parameters().trained().empty());
  const auto& weights = harness.parameters().find(".weight").parameter->value;
  for (int run = 0; run < Harness::kRuns; ++run)
    for (int i = 0; i < 15; ++i) weights.data<double>(run)[i] = 0.3 * (i % 7) - run;
  DeviceTensor x_grad;
  harness.loss(&x_grad);
  const HostTensor gradient = download(x_grad.view());
  for (std::size_t i = 0; i < 24; ++i)
    EXPECT_NEAR(gradient.values<double>()[i], difference(harness, harness.x().view().data<double>()[i]),
                1e-6);
}

}  // namespace
}  // namespace gnc
