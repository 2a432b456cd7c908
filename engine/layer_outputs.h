#pragma once
/// What chosen layers of a network give, image by image: the features of layer-wise collapse.

#include <span>
#include <string>
#include <vector>

#include "engine/network.h"

namespace gnc {

/// One layer's output for a batch.
struct LayerOutput {
  std::string name;     ///< in the state_dict
  LeasedTensor values;  ///< [N,width] fp32: rows as they are, images [N,C,H,W] averaged over their pixels
};

/// Collects the outputs of the layers named while a pass goes forward. Slices of channels, which a DenseNet's
/// stem and transitions write into the images of the block behind them, are seen as part of that block.
class LayerOutputs final : public LayerObserver {
 public:
  /// "all" takes every layer. The list must outlive this object.
  explicit LayerOutputs(std::span<const std::string> layers) : layers_(layers) {}

  void observe(const std::string& name, const Tensor& y, Pass& pass) override;
  /// In the order of the layers. The leases are of the pass's arena.
  const std::vector<LayerOutput>& outputs() const { return outputs_; }

 private:
  std::span<const std::string> layers_;
  std::vector<LayerOutput> outputs_;
};

inline constexpr const char* kAllLayers = "all";

/// The layers whose outputs can be collected, from the first to the last. `x` is a batch for `network` on a
/// backend that computes nothing; it has parameters there.
std::vector<std::string> observable_layers(Network& network, LeasedTensor x, Pass& pass);

/// Throws UsageError unless `wanted` is "all" alone, or each of it among `known`; names the nearest.
void check_layer_names(std::span<const std::string> wanted, const std::vector<std::string>& known);

}  // namespace gnc
