/// The backbones of the registry: published sizes, names, images they take, and one step on every backend.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "engine/parameter_arena.h"
#include "engine/random.h"
#include "models/network_summary.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/expect_error.h"

namespace gnc::tests {
namespace {

NetworkSummary summary_of(std::string_view name, const BackboneOptions& options = {}) {
  return summarize(find_backbone(name), {.backbone = options, .batch_size = 2});
}

struct Published {
  std::string_view name;
  std::int64_t parameters;
  int features;
};

/// Without the last classifier. VGG and ResNet-18, 34, 50: torchvision's models and those of pytorch-cifar
/// less their last layers; ResNet-20, 32, 56: 269 722, 464 154, 853 018 less Linear(64, 10).
/// The paper's head: Linear(512, 4096), Linear(4096, 4096), with batch norm behind each where the network has
/// it.
constexpr std::int64_t kHead = 513 * 4096 + 4097 * 4096, kHeadWithNorm = kHead + 2 * 2 * 4096;
constexpr Published kPublished[] = {{"mlp", 3 * 1024 * 512 + 2 * 512 * 512 + 3 * 512, 512},
                                    {"resnet18", 11'168'832, 512},
                                    {"resnet18_imagenet", 11'176'512, 512},
                                    {"resnet20", 269'072, 64},
                                    {"resnet32", 463'504, 64},
                                    {"resnet34", 21'276'992, 512},
                                    {"resnet34_imagenet", 21'284'672, 512},
                                    {"resnet50", 23'500'352, 2048},
                                    {"resnet50_imagenet", 23'508'032, 2048},
                                    {"resnet56", 852'368, 64},
                                    {"vgg11", 9'220'480, 512},
                                    {"vgg11_bn", 9'225'984, 512},
                                    {"vgg11_bn_head", 28'124'928, 4096},
                                    {"vgg11_head", 9'220'480 + kHead, 4096},
                                    {"vgg13", 9'404'992, 512},
                                    {"vgg13_bn", 9'410'880, 512},
                                    {"vgg13_bn_head", 9'410'880 + kHeadWithNorm, 4096},
                                    {"vgg13_head", 9'404'992 + kHead, 4096},
                                    {"vgg16", 14'714'688, 512},
                                    {"vgg16_bn", 14'723'136, 512},
                                    {"vgg16_bn_head", 14'723'136 + kHeadWithNorm, 4096},
                                    {"vgg16_head", 14'714'688 + kHead, 4096},
                                    {"vgg19", 20'024'384, 512},
                                    {"vgg19_bn", 20'035'392, 512},
                                    {"vgg19_bn_head", 20'035'392 + kHeadWithNorm, 4096},
                                    {"vgg19_head", 20'024'384 + kHead, 4096}};

TEST(Backbones, Have_The_Published_Numbers_Of_Parameters_And_Features) {
  for (const Published& published : kPublished) {
    const NetworkSummary summary = summary_of(published.name);
    EXPECT_EQ(summary.parameters, published.parameters) << published.name;
    EXPECT_EQ(summary.features, published.features) << published.name;
  }
}

TEST(Backbones, Are_Sorted_By_Name_And_Say_What_They_Are) {
  std::string before;
  for (const BackboneEntry& entry : backbones()) {
    EXPECT_LT(before, entry.name);
    EXPECT_FALSE(entry.description.empty()) << entry.name;
    before = entry.name;
  }
}

TEST(Backbones, Take_Every_Image_From_Their_Smallest_On) {
  for (const BackboneEntry& entry : backbones())
    for (const int size : {entry.minimum_image_size, 28, 32, 33, 64}) {
      if (size < entry.minimum_image_size) continue;
      SCOPED_TRACE(fmt::format("{}, images of {}", entry.name, size));
      const BackboneOptions options{.image_channels = 1, .image_size = size, .width = 0.1};
      const NetworkSummary summary = summary_of(entry.name, options);
      ASSERT_FALSE(summary.layers.empty());
      EXPECT_EQ(summary.layers.back().output[1], summary.features);
      EXPECT_EQ(summary.layers.back().output[2] * summary.layers.back().output[3], 1);
    }
}

TEST(Backbones, Name_The_Nearest_Of_An_Unknown_Name) {
  expect_error<UsageError>([] { find_backbone("resnet81"); }, {"'resnet81'", "did you mean 'resnet18'"});
}

TEST(Vgg, Refuses_Images_That_Vanish) {
  expect_error<UsageError>([] { find_backbone("vgg13").build({.image_size = 28}); }, {"28x28", "32x32"});
}

void expect_layers(std::string_view model, const std::vector<std::string>& names) {
  std::set<std::string> layers;
  for (const LayerSummary& layer : summary_of(model, {.width = 0.1}).layers) layers.insert(layer.name);
  for (const std::string& name : names) EXPECT_TRUE(layers.contains(name)) << model << " has no " << name;
}

TEST(Backbones, Use_Torchvisions_Names) {
  expect_layers("vgg11_bn", {"features.0", "features.1", "features.4", "features.8", "features.11",
                             "features.15", "features.18", "features.22", "features.25", "features.26"});
  expect_layers("vgg11", {"features.0", "features.3", "features.6", "features.8", "features.11",
                          "features.13", "features.16", "features.18"});
  expect_layers("vgg19_bn", {"features.49", "features.50"});
  expect_layers("vgg11_head", {"features.18", "classifier.0", "classifier.2"});
  expect_layers("vgg11_bn_head", {"classifier.0", "classifier.1", "classifier.3", "classifier.4"});
  expect_layers("resnet18", {"conv1", "bn1", "layer1.0.conv1", "layer1.1.bn2", "layer2.0.downsample.0",
                             "layer2.0.downsample.1", "layer4.1.conv2"});
  expect_layers("resnet50", {"layer1.0.downsample.0", "layer1.0.conv3", "layer1.0.bn3", "layer3.5.conv2"});
  expect_layers("resnet20", {"conv1", "layer1.2.conv2", "layer2.0.conv1", "layer3.2.bn2"});
}

TEST(ResNet, Narrows_Images_Where_It_Widens_Them) {
  std::map<std::string, Shape> outputs;
  for (const LayerSummary& layer : summary_of("resnet18", {.image_size = 28}).layers)
    outputs[layer.name] = layer.output;
  EXPECT_EQ(outputs.at("conv1"), (Shape{1, 64, 28, 28}));
  EXPECT_EQ(outputs.at("layer2.0.downsample.0"), (Shape{1, 128, 14, 14}));
  EXPECT_EQ(outputs.at("layer4.1.conv2"), (Shape{1, 512, 4, 4}));
}

// One step --------------------------------------------------------------------------------------------------

constexpr int kBatch = 4;

struct SmallNetwork {
  std::string_view name;
  BackboneOptions options;
};

/// Gradients of Σ probe·features by the names of the parameters.
using Gradients = std::map<std::string, std::vector<double>>;

/// The gradients of a step of four images, with every weight and pixel moved by a relative error of up to
/// `perturbation`.
Gradients gradients_on(Backend& backend, DType dtype, const SmallNetwork& network, double perturbation = 0) {
  const Backbone backbone = find_backbone(network.name).build(network.options);
  ParameterArena parameters(*backbone.module, backend, 1, dtype);
  Arena arena(backend.memory(), std::size_t{16} << 20);
  const auto number = [&](const std::string& name, std::uint64_t i, double value) {
    const double sign = 2.0 * RandomStream(9, "perturbation of " + name).uniform(i) - 1;
    return static_cast<float>(value) * (1 + perturbation * sign);  // the same numbers in fp32 and fp64
  };
  const auto filled = [&](const TensorSpec& spec, const std::string& name, const auto& law) {
    HostTensor tensor(spec);
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(spec.shape.elements()); ++i) {
      const double value = number(name, i, law(i));
      if (dtype == DType::kF64)
        tensor.values<double>()[i] = value;
      else
        tensor.values<float>()[i] = static_cast<float>(value);
    }
    return tensor;
  };
  parameters.initialize(0, 3);  // buffers
  for (const ParameterArena::Entry& entry : parameters.trained()) {
    const RandomStream stream(3, entry.name);
    parameters.write(entry.parameter->value, 0,
                     filled({.shape = entry.parameter->shape, .dtype = dtype}, entry.name,
                            [&](std::uint64_t i) { return entry.parameter->initializer.draw(stream, i); }));
  }
  const auto normals = [](std::string_view purpose) {
    return [stream = RandomStream(3, purpose)](std::uint64_t i) { return stream.normal(i); };
  };
  const BackboneOptions& options = network.options;
  const TensorSpec images{.shape = {kBatch, options.image_channels, options.image_size, options.image_size},
                          .dtype = dtype};
  const DeviceTensor x =
      upload(backend.memory(), filled(images, "images", normals("images")).in_layout(backend.image_layout()));
  const DeviceTensor probe =
      upload(backend.memory(),
             filled({.shape = {kBatch, backbone.features}, .dtype = dtype}, "probe", normals("probe")));

  Pass pass(backend, arena, Mode::kTrain);
  backbone.module->forward(LeasedTensor::borrowed(x.view()), pass);
  backbone.module->backward(LeasedTensor::borrowed(probe.view()), pass);
  backend.synchronize();
  EXPECT_TRUE(pass.is_empty());
  Gradients gradients;
  for (const ParameterArena::Entry& entry : parameters.trained())
    gradients[entry.name] = as_doubles(parameters.read(entry.parameter->gradient, 0));
  return gradients;
}

double largest(const std::vector<double>& values) {
  double result = 0;
  for (const double value : values) result = std::max(result, std::abs(value));
  return result;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double result = 0;
  for (std::size_t i = 0; i < a.size(); ++i) result = std::max(result, std::abs(a[i] - b[i]));
  return result;
}

/// A sum of K products of size σ, added one after another, errs by about u·σ·K/√2; factors moved at random by
/// up to a relative δ move it by about δ·σ·√(K/3). So rounding in a layer is as good as moving its weights
/// and inputs by δ = u·√(3K/2), and what that does to a gradient is measured on the oracle, in double, with
/// δ = 1e-7. The largest error of a few hundred numbers may be 8 times what one draw shows.
class BackboneStep : public ::testing::TestWithParam<SmallNetwork> {};

TEST_P(BackboneStep, Gives_The_Gradients_Of_The_Oracle) {
  constexpr double kPerturbation = 1e-7, kToSpare = 8;
  const SmallNetwork& network = GetParam();
  Backend& oracle = backend_named("reference");
  const Gradients expected = gradients_on(oracle, DType::kF64, network);
  const Gradients moved = gradients_on(oracle, DType::kF64, network, kPerturbation);
  const NetworkSummary summary = summary_of(network.name, network.options);
  // The longest sums are those over the batch, of the gradients of weights, or those of the widest layer.
  double longest = kBatch * std::pow(network.options.image_size, 2);
  for (const LayerSummary& layer : summary.layers)
    longest = std::max(longest, layer.flops / 2 / static_cast<double>(layer.output.elements()));
  const double rounding = kUnitRoundoff * std::sqrt(1.5 * longest);
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const Gradients actual = gradients_on(backend, DType::kF32, network);
    for (const auto& [name, gradient] : expected) {
      ASSERT_GT(largest(gradient), 0) << name;
      const double change = largest_difference(gradient, moved.at(name));
      const double bound = kToSpare * rounding / kPerturbation * change;
      EXPECT_LT(bound, 0.1 * largest(gradient)) << name << ": the bound says nothing";
      EXPECT_LE(largest_difference(gradient, actual.at(name)), bound) << name;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(
    Small, BackboneStep,
    ::testing::Values(SmallNetwork{"resnet20", {.image_channels = 2, .image_size = 8, .width = 0.25}},
                      SmallNetwork{"resnet18", {.image_channels = 1, .image_size = 12, .width = 0.05}},
                      SmallNetwork{"resnet18_imagenet",
                                   {.image_channels = 1, .image_size = 40, .width = 0.05}}),
    [](const ::testing::TestParamInfo<SmallNetwork>& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace gnc::tests
