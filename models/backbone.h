#pragma once
/// Feature extractors by name.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/modules/linear.h"

namespace gnc {

/// What a backbone is built for.
struct BackboneOptions {
  int image_channels = 3;
  int image_size = 32;  ///< height and width, pixels
  /// Factor on every layer's channel count (rounded, at least 1), for small machines; 1 is the network of the
  /// literature.
  double width = 1.0;
  /// Whether training computes again in backward what dense blocks could keep from forward
  /// (DenseBlock::Options): less memory, the same bits. Other backbones have nothing of the kind.
  bool recomputes = false;
};

/// Images [N,C,H,W] to features [N,features].
struct Backbone {
  std::unique_ptr<Module> module;
  int features = 0;
  /// Name in the state_dict of the layer behind it, as where the model comes from: "fc" of torchvision's
  /// ResNet, "linear" of the usual narrow one.
  std::string classifier = "classifier";
  LinearInit classifier_init = LinearInit::kPyTorchDefault;  ///< how it starts there, where it is learned
};

/// `channels` of the literature in a network of that width: rounded, at least 1.
int scaled_channels(int channels, double width);

/// Builds a backbone; throws UsageError for images it cannot take.
using BackboneBuilder = std::function<Backbone(const BackboneOptions& options)>;

/// A backbone of the registry.
struct BackboneEntry {
  std::string_view name;
  std::string_view description;
  int minimum_image_size;  ///< pixels; smaller pictures are padded by the data side
  BackboneBuilder build;
};

/// All backbones, sorted by name.
const std::vector<BackboneEntry>& backbones();
/// Throws UsageError naming the nearest name and all there are.
const BackboneEntry& find_backbone(std::string_view name);

}  // namespace gnc
