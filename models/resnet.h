#pragma once
/// ResNet (He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016).

#include "models/backbone.h"

namespace gnc {

/// What comes before the blocks of a wide ResNet.
enum class ResNetStem : std::uint8_t {
  kCifar,     ///< 3x3 convolution: small images keep their size
  kImageNet,  ///< 7x7 convolution with stride 2, 3x3 maximum pool with stride 2
};

/// ResNet-18, 34 (basic blocks) or 50 (bottlenecks, the stride in their 3x3 convolution): four stages of 64,
/// 128, 256, 512 channels (four times as many behind a bottleneck), each but the first halving the image,
/// shortcuts of a 1x1 convolution with batch norm where the shape changes, no biases; averaged over what is
/// left of the image, which gives 512 (2048) features. Names and initial weights, N(0, 2/fan_out), are
/// torchvision's: "conv1", "bn1", "layer1.0.conv1", "layer2.0.downsample.0" (which pytorch-cifar's models
/// call "layer2.0.shortcut.0"). Throws Error for another depth.
BackboneBuilder resnet(int depth, ResNetStem stem);

/// The narrow ResNets of the paper's section 4.2, of depth 6n+2: a 3x3 convolution to 16 channels, three
/// stages of n basic blocks with 16, 32, 64 channels, and shortcuts without parameters ("option A": every
/// second pixel, zero channels around those there are); 64 features. Names as above; initial weights
/// N(0, 2/fan_in), a learned classifier's too. Throws Error for another depth.
BackboneBuilder narrow_resnet(int depth);

}  // namespace gnc
