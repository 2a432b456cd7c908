#include "models/densenet.h"

#include <cmath>
#include <utility>

#include "engine/modules/batch_norm.h"
#include "engine/modules/dense_block.h"
#include "engine/modules/flatten.h"
#include "engine/modules/pooling.h"
#include "engine/modules/sequential.h"

namespace gnc {
namespace {

constexpr Conv2dGeometry kHalve{.kernel = 2, .stride = 2, .padding = 0};

/// The convolution leaves room for the block behind it.
std::unique_ptr<Module> stem(const DenseNetOptions& options, const BackboneOptions& images,
                             const DenseBlock::Options& block) {
  return std::make_unique<Conv2d>(Conv2d::Options{.in_channels = images.image_channels,
                                                  .out_channels = block.in_channels,
                                                  .geometry = {.kernel = 3, .stride = 1, .padding = 1},
                                                  .has_bias = false,
                                                  .init = options.init,
                                                  .input_gradient = InputGradient::kSkip,
                                                  .room = block.out_channels()});
}

/// BN-ReLU-average pool-conv1x1. The literature pools behind the convolution; both are linear and one acts on
/// pixels, the other on channels, so they commute, and in this order the convolution has a quarter of the
/// pixels.
std::unique_ptr<Module> transition(const DenseNetOptions& options, int in_channels,
                                   const DenseBlock::Options& block) {
  auto layers = std::make_unique<Sequential>();
  layers->add("norm", std::make_unique<BatchNorm>(in_channels, Activation::kRelu));
  layers->add("", std::make_unique<AveragePool>(kHalve));
  layers->add("conv",
              std::make_unique<Conv2d>(Conv2d::Options{.in_channels = in_channels,
                                                       .out_channels = block.in_channels,
                                                       .geometry = {.kernel = 1, .stride = 1, .padding = 0},
                                                       .has_bias = false,
                                                       .init = options.init,
                                                       .room = block.out_channels()}));
  return layers;
}

Backbone build(const DenseNetOptions& options, const BackboneOptions& images) {
  auto network = std::make_unique<Sequential>();
  const int growth = scaled_channels(options.growth, images.width);
  int channels = scaled_channels(options.stem_channels, images.width), extent = images.image_size;
  for (std::size_t i = 0; i < options.layers.size(); ++i) {
    const int in_channels = channels;
    if (i > 0) channels = std::max(1, static_cast<int>(std::floor(channels * options.compression)));
    const DenseBlock::Options block{.in_channels = channels,
                                    .layers = options.layers[i],
                                    .growth = growth,
                                    .bottleneck = options.has_bottlenecks ? 4 * growth : 0,
                                    .init = options.init,
                                    .recomputes = images.recomputes};
    if (i == 0) {
      network->add("features.conv0", stem(options, images, block));
    } else {
      network->add(fmt::format("features.transition{}", i), transition(options, in_channels, block));
      extent = kHalve.output_extent(extent);
    }
    network->add(fmt::format("features.denseblock{}", i + 1), std::make_unique<DenseBlock>(block));
    channels = block.out_channels();
  }
  network->add("features.norm5", std::make_unique<BatchNorm>(channels, Activation::kRelu));
  if (extent > 1)
    network->add(
        "", std::make_unique<AveragePool>(Conv2dGeometry{.kernel = extent, .stride = extent, .padding = 0}));
  network->add("", std::make_unique<Flatten>());
  return {.module = std::move(network), .features = channels, .classifier_init = options.classifier_init};
}

}  // namespace

BackboneBuilder densenet(const DenseNetOptions& options) {
  return [options](const BackboneOptions& images) { return build(options, images); };
}

BackboneBuilder densenet_bc(int depth, int growth) {
  require<Error>(depth >= 10, "DenseNet-BC of depth {}; expected at least 10", depth);
  const int layers = (depth - 4) / 6;
  return densenet({.growth = growth, .layers = {layers, layers, layers}, .stem_channels = 2 * growth});
}

BackboneBuilder plain_densenet(int depth, int growth) {
  require<Error>(depth >= 7 && depth % 3 == 1, "DenseNet of depth {}; expected 3n+4", depth);
  const int layers = (depth - 4) / 3;
  return densenet({.growth = growth,
                   .layers = {layers, layers, layers},
                   .stem_channels = 2 * growth,
                   .has_bottlenecks = false,
                   .compression = 1});
}

}  // namespace gnc
