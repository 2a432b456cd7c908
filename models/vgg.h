#pragma once
/// VGG (Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015) for
/// small images.

#include "models/backbone.h"

namespace gnc {

/// VGG11 (configuration A) with batch normalisation: 3x3 convolutions 64 M 128 M 256 256 M 512 512 M 512 512
/// M, each followed by batch norm and ReLU, M a 2x2 maximum pool; what is left of the image is averaged,
/// which gives 512 features and no fully connected layers. With 3 channels and width 1 it has 9 225 984
/// parameters. State_dict names and initial weights are torchvision's for `vgg11_bn.features`.
Backbone build_vgg11_bn(const BackboneOptions& options);

}  // namespace gnc
