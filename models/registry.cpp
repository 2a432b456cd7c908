/// Name to backbone: one line each, sorted.

#include <algorithm>
#include <cmath>

#include "engine/nearest_name.h"
#include "models/backbone.h"
#include "models/densenet.h"
#include "models/mlp.h"
#include "models/resnet.h"
#include "models/vgg.h"

namespace gnc {

int scaled_channels(int channels, double width) {
  return std::max(1, static_cast<int>(std::lround(channels * width)));
}

const std::vector<BackboneEntry>& backbones() {
  using enum ResNetStem;
  using enum VggHead;
  using enum VggNorm;
  static const std::vector<BackboneEntry> entries = {
      {"densenet121", "DenseNet-121 for small images (3x3 stem)", 8,
       densenet({.growth = 32, .layers = {6, 12, 24, 16}, .stem_channels = 64})},
      {"densenet_40_12", "DenseNet of 40 layers, growth 12, no bottlenecks", 4, plain_densenet(40, 12)},
      {"densenet_bc_100_12", "DenseNet-BC of 100 layers, growth 12", 4, densenet_bc(100, 12)},
      {"densenet_bc_150_12", "DenseNet-BC of 150 layers, growth 12", 4, densenet_bc(150, 12)},
      {"densenet_bc_190_40", "DenseNet-BC of 190 layers, growth 40", 4, densenet_bc(190, 40)},
      {"densenet_cifar", "DenseNet-121's blocks with growth 12", 8,
       densenet({.layers = {6, 12, 24, 16},
                 .init = ConvolutionInit::kPyTorchDefault,
                 .classifier_init = LinearInit::kPyTorchDefault})},
      {"mlp", "three linear layers of 512 features with ReLU", 1, mlp({.depth = 3, .features = 512})},
      {"resnet18", "ResNet-18 for small images (3x3 stem)", 5, resnet(18, kCifar)},
      {"resnet18_imagenet", "ResNet-18 with the stem of ImageNet", 17, resnet(18, kImageNet)},
      {"resnet20", "narrow ResNet of CIFAR, 20 layers, option A", 3, narrow_resnet(20)},
      {"resnet32", "narrow ResNet of CIFAR, 32 layers, option A", 3, narrow_resnet(32)},
      {"resnet34", "ResNet-34 for small images (3x3 stem)", 5, resnet(34, kCifar)},
      {"resnet34_imagenet", "ResNet-34 with the stem of ImageNet", 17, resnet(34, kImageNet)},
      {"resnet50", "ResNet-50 for small images (3x3 stem)", 5, resnet(50, kCifar)},
      {"resnet50_imagenet", "ResNet-50 with the stem of ImageNet", 17, resnet(50, kImageNet)},
      {"resnet56", "narrow ResNet of CIFAR, 56 layers, option A", 3, narrow_resnet(56)},
      {"vgg11", "VGG11, convolutions only", 32, vgg({11})},
      {"vgg11_bn", "VGG11 with batch norm, convolutions only", 32, vgg({11, kBatchNorm})},
      {"vgg11_bn_head", "VGG11 with batch norm and two layers of 4096", 32, vgg({11, kBatchNorm, kHead})},
      {"vgg11_head", "VGG11 with two layers of 4096", 32, vgg({11, kPlain, kHead})},
      {"vgg13", "VGG13, convolutions only", 32, vgg({13})},
      {"vgg13_bn", "VGG13 with batch norm, convolutions only", 32, vgg({13, kBatchNorm})},
      {"vgg13_bn_head", "VGG13 with batch norm and two layers of 4096", 32, vgg({13, kBatchNorm, kHead})},
      {"vgg13_head", "VGG13 with two layers of 4096", 32, vgg({13, kPlain, kHead})},
      {"vgg16", "VGG16, convolutions only", 32, vgg({16})},
      {"vgg16_bn", "VGG16 with batch norm, convolutions only", 32, vgg({16, kBatchNorm})},
      {"vgg16_bn_head", "VGG16 with batch norm and two layers of 4096", 32, vgg({16, kBatchNorm, kHead})},
      {"vgg16_head", "VGG16 with two layers of 4096", 32, vgg({16, kPlain, kHead})},
      {"vgg19", "VGG19, convolutions only", 32, vgg({19})},
      {"vgg19_bn", "VGG19 with batch norm, convolutions only", 32, vgg({19, kBatchNorm})},
      {"vgg19_bn_head", "VGG19 with batch norm and two layers of 4096", 32, vgg({19, kBatchNorm, kHead})},
      {"vgg19_head", "VGG19 with two layers of 4096", 32, vgg({19, kPlain, kHead})},
  };
  return entries;
}

const BackboneEntry& find_backbone(std::string_view name) {
  std::vector<std::string> names;
  for (const BackboneEntry& entry : backbones()) {
    if (entry.name == name) return entry;
    names.emplace_back(entry.name);
  }
  throw UsageError(unknown_name(name, "a model", names));
}

}  // namespace gnc
