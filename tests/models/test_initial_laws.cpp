/// How every model of the registry starts: the law of each parameter, by name and shape, against what the
/// code of the model's origin does to its layers, written out here.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>

#include "models/classification_network.h"

namespace gnc::tests {
namespace {

using Law = Initializer::Law;

struct Start {
  Law law;
  double scale;
};

/// The laws of one origin's code, by kind of layer; fans are counted from the weights' shape. Where a
/// convolution has a bias, all of them start it at 0.
struct Origin {
  std::function<Start(double fan_in, double fan_out)> convolution;
  std::function<Start(double fan_in)> last_weights;
  std::function<Start(double fan_in)> last_bias;
};

Start kaiming_normal(double fan) { return {Law::kNormal, std::sqrt(2 / fan)}; }
/// torch.nn.Linear's and Conv2d's own: kaiming_uniform_(a=√5), which is U(±1/√fan_in), for weights and bias.
Start uniform_by(double fan_in) { return {Law::kUniform, 1 / std::sqrt(fan_in)}; }
Start zero(double) { return {Law::kConstant, 0}; }
Start small_normal(double) { return {Law::kNormal, 0.01}; }

const auto kByFanOut = [](double, double fan_out) { return kaiming_normal(fan_out); };
const auto kByFanIn = [](double fan_in, double) { return kaiming_normal(fan_in); };
const auto kDefaultConvolution = [](double fan_in, double) { return uniform_by(fan_in); };

/// torchvision/models/resnet.py: kaiming_normal_(mode="fan_out", nonlinearity="relu"); fc as torch.nn makes
/// it.
const Origin kResNet{.convolution = kByFanOut, .last_weights = uniform_by, .last_bias = uniform_by};
/// The narrow ResNets' usual code: kaiming_normal_ of weights, linear ones too.
const Origin kNarrowResNet{.convolution = kByFanIn, .last_weights = kaiming_normal, .last_bias = uniform_by};
/// torchvision/models/vgg.py: kaiming_normal_(mode="fan_out"), biases 0; linear layers normal_(0, 0.01), 0.
const Origin kVgg{.convolution = kByFanOut, .last_weights = uniform_by, .last_bias = uniform_by};
const Origin kVggHead{.convolution = kByFanOut, .last_weights = small_normal, .last_bias = zero};
/// torchvision/models/densenet.py: kaiming_normal_ (fan_in) of convolutions, the classifier's bias 0.
const Origin kDenseNet{.convolution = kByFanIn, .last_weights = uniform_by, .last_bias = zero};
/// pytorch-cifar's densenet_cifar leaves its layers as torch.nn makes them.
const Origin kDefault{
    .convolution = kDefaultConvolution, .last_weights = uniform_by, .last_bias = uniform_by};

const Origin& origin_of(const std::string& model) {
  static const std::map<std::string, const Origin&> origins = {{"densenet121", kDenseNet},
                                                               {"densenet_40_12", kDenseNet},
                                                               {"densenet_bc_100_12", kDenseNet},
                                                               {"densenet_bc_150_12", kDenseNet},
                                                               {"densenet_bc_190_40", kDenseNet},
                                                               {"densenet_cifar", kDefault},
                                                               {"mlp", kDefault},
                                                               {"resnet18", kResNet},
                                                               {"resnet18_imagenet", kResNet},
                                                               {"resnet20", kNarrowResNet},
                                                               {"resnet32", kNarrowResNet},
                                                               {"resnet34", kResNet},
                                                               {"resnet34_imagenet", kResNet},
                                                               {"resnet50", kResNet},
                                                               {"resnet50_imagenet", kResNet},
                                                               {"resnet56", kNarrowResNet},
                                                               {"vgg11", kVgg},
                                                               {"vgg11_bn", kVgg},
                                                               {"vgg11_bn_head", kVggHead},
                                                               {"vgg11_head", kVggHead},
                                                               {"vgg13", kVgg},
                                                               {"vgg13_bn", kVgg},
                                                               {"vgg13_bn_head", kVggHead},
                                                               {"vgg13_head", kVggHead},
                                                               {"vgg16", kVgg},
                                                               {"vgg16_bn", kVgg},
                                                               {"vgg16_bn_head", kVggHead},
                                                               {"vgg16_head", kVggHead},
                                                               {"vgg19", kVgg},
                                                               {"vgg19_bn", kVgg},
                                                               {"vgg19_bn_head", kVggHead},
                                                               {"vgg19_head", kVggHead}};
  const auto found = origins.find(model);
  require<Error>(found != origins.end(), "no origin is written down for {}", model);
  return found->second;
}

std::string without(const std::string& name, const std::string& ending) {
  return name.ends_with(ending) ? name.substr(0, name.size() - ending.size()) : name;
}

class InitialLaws : public ::testing::TestWithParam<BackboneEntry> {};

TEST_P(InitialLaws, Are_Those_Of_The_Models_Origin) {
  const std::string model(GetParam().name);
  const Origin& origin = origin_of(model);
  const bool has_small_linear_layers = model.ends_with("_head");
  constexpr int kDim = 7, kClasses = 5;  // no backbone's: there is a projection
  const std::unique_ptr<Network> network = build_classification_network(
      GetParam(), {}, {.feature_dim = kDim, .num_classes = kClasses, .classifier = ClassifierKind::kLearned});
  const std::string last = network->classifier_name();

  std::map<std::string, Shape> weights;  // by the layer's name
  network->visit("", [&](const std::string& name, Parameter& parameter) {
    if (name.ends_with(".weight")) weights[without(name, ".weight")] = parameter.shape;
  });
  int convolutions = 0;
  network->visit("", [&](const std::string& name, Parameter& parameter) {
    const bool is_bias = name.ends_with(".bias");
    const std::string layer = without(without(name, ".weight"), ".bias");
    Start expected{Law::kConstant, 0};
    if (name.ends_with(".running_var")) {
      expected.scale = 1;
    } else if (!name.ends_with(".running_mean")) {
      const Shape& shape = weights.at(layer);
      if (shape.rank() == 1) {
        expected.scale = is_bias ? 0 : 1;  // batch norm
      } else if (shape.rank() == 4) {
        ++convolutions;
        const double pixels = shape[2] * shape[3];
        expected = is_bias ? zero(0) : origin.convolution(shape[1] * pixels, shape[0] * pixels);
      } else if (layer == last) {
        expected = is_bias ? origin.last_bias(shape[1]) : origin.last_weights(shape[1]);
      } else if (has_small_linear_layers && layer.starts_with("classifier.")) {
        expected = is_bias ? zero(shape[1]) : small_normal(shape[1]);
      } else {
        expected = uniform_by(shape[1]);
      }
    }
    EXPECT_EQ(parameter.initializer.law, expected.law) << name;
    EXPECT_NEAR(parameter.initializer.scale, expected.scale, 4e-16 * expected.scale) << name;
  });
  EXPECT_TRUE(weights.contains("projection"));
  EXPECT_TRUE(weights.contains(last)) << last;
  EXPECT_EQ(convolutions > 0, model != "mlp");
}

INSTANTIATE_TEST_SUITE_P(Registry, InitialLaws, ::testing::ValuesIn(backbones()),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace gnc::tests
