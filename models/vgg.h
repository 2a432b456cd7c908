#pragma once
/// VGG (Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015) for
/// small images.

#include "models/backbone.h"

namespace gnc {

/// What follows a convolution before its ReLU.
enum class VggNorm : std::uint8_t { kPlain, kBatchNorm };
/// What follows the convolutions: nothing, or two linear layers of 4096 features with ReLU.
enum class VggHead : std::uint8_t { kHeadless, kHead };

/// A network of the family.
struct Vgg {
  int depth = 11;  ///< 11, 13, 16 or 19: configurations A, B, D and E
  VggNorm norm = VggNorm::kPlain;
  VggHead head = VggHead::kHeadless;
};

/// 3x3 convolutions with bias, each followed by (batch norm and) ReLU, between five 2x2 maximum pools; what
/// is left of the image is averaged, which gives 512 features. Names are torchvision's ("features.0.weight"),
/// and so are initial weights: N(0, 2/fan_out), biases 0.
///
/// The head is that of the paper's table, Linear(512,4096), Linear(4096,4096), in place of torchvision's
/// Linear(512·7·7,4096), with batch norm (where the network has it) and ReLU behind each and no dropout. With
/// it the features are 4096, its layers are "classifier.0", "classifier.1", … as a torch.nn.Sequential of
/// these layers names them, and its weights, a learned classifier's too, start as N(0, 0.01²).
BackboneBuilder vgg(const Vgg& network);

}  // namespace gnc
