#pragma once
/// DenseNet (Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks", 2017) for
/// small images.

#include <vector>

#include "engine/modules/conv2d.h"
#include "engine/modules/linear.h"
#include "models/backbone.h"

namespace gnc {

/// What tells the networks apart.
struct DenseNetOptions {
  int growth = 12;
  std::vector<int> layers = {};  ///< of each block
  int stem_channels = 24;
  bool has_bottlenecks = true;  ///< layers of 1x1 to 4·growth channels and 3x3; else of 3x3 alone
  double compression = 0.5;     ///< of the channels in a transition, rounded down
  ConvolutionInit init = ConvolutionInit::kKaimingNormalFanIn;
  LinearInit classifier_init = LinearInit::kZeroBias;
};

/// A 3x3 convolution to the stem's channels, dense blocks, between them transitions of BN-ReLU, average pool
/// of 2 and 1x1 convolution (the literature pools last, which is the same but for rounding), and behind the
/// last block BN-ReLU and the average over what is left of the image. No biases. A width scales the growth
/// and the stem.
///
/// Names and initial weights, N(0, 2/fan_in) unless the options say otherwise, are torchvision's,
/// whose DenseNet with this growth_rate, block_config and num_init_features it is, but for a conv0 of 3x3 and
/// without norm0, relu0 and pool0: "features.conv0", "features.denseblock1.denselayer1.norm1",
/// "features.transition1.conv", "features.norm5" (whatever the number of blocks). Layers without bottleneck,
/// which torchvision has not, have norm1 and conv1.
BackboneBuilder densenet(const DenseNetOptions& options);

/// DenseNet-BC of three blocks of (depth − 4)/6 layers, rounded down (so that of depth 150 has 24 in each, as
/// the published ones do), and 2·growth channels in the stem. Throws Error for a depth below 10.
BackboneBuilder densenet_bc(int depth, int growth);

/// DenseNet without bottlenecks and compression: three blocks of (depth − 4)/3 layers, 2·growth channels in
/// the stem. Throws Error unless depth is 3n+4.
BackboneBuilder plain_densenet(int depth, int growth);

}  // namespace gnc
