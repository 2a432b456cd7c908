#include "models/vgg.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "engine/modules/batch_norm.h"
#include "engine/modules/conv2d.h"
#include "engine/modules/flatten.h"
#include "engine/modules/pooling.h"
#include "engine/modules/sequential.h"

namespace gnc {
namespace {

constexpr int kPool = 0;  // stands for M among the channel counts
constexpr Conv2dGeometry kConvolution{.kernel = 3, .stride = 1, .padding = 1};
constexpr Conv2dGeometry kHalving{.kernel = 2, .stride = 2, .padding = 0};

Backbone build_vgg(std::initializer_list<int> layers, const BackboneOptions& options) {
  auto network = std::make_unique<Sequential>();
  int channels = options.image_channels, extent = options.image_size;
  int index = 0;  // of torchvision's nn.Sequential, where batch norm and ReLU count as two
  const auto name = [&index](int step) {
    const std::string text = fmt::format("features.{}", index);
    index += step;
    return text;
  };
  for (const int layer : layers) {
    if (layer == kPool) {
      network->add(name(1), std::make_unique<MaxPool>(kHalving));
      extent = kHalving.output_extent(extent);
      require<UsageError>(extent >= 1,
                          "images of {0}x{0} pixels vanish in VGG's five pools; expected at least 32x32",
                          options.image_size);
      continue;
    }
    const int out_channels = std::max(1, static_cast<int>(std::lround(layer * options.width)));
    const bool is_first = index == 0;
    network->add(name(1), std::make_unique<Conv2d>(Conv2d::Options{
                              .in_channels = channels,
                              .out_channels = out_channels,
                              .geometry = kConvolution,
                              .init = ConvolutionInit::kKaimingNormalFanOut,
                              .input_gradient = is_first ? InputGradient::kSkip : InputGradient::kCompute}));
    network->add(name(2), std::make_unique<BatchNorm>(out_channels, Activation::kRelu));
    channels = out_channels;
  }
  if (extent > 1)
    network->add(
        "", std::make_unique<AveragePool>(Conv2dGeometry{.kernel = extent, .stride = extent, .padding = 0}));
  network->add("", std::make_unique<Flatten>());
  return {.module = std::move(network), .features = channels};
}

}  // namespace

Backbone build_vgg11_bn(const BackboneOptions& options) {
  return build_vgg({64, kPool, 128, kPool, 256, 256, kPool, 512, 512, kPool, 512, 512, kPool}, options);
}

}  // namespace gnc
