#pragma once
/// A data set and a network small enough for every backend, the naive one included.

#include <memory>
#include <vector>

#include "engine/batch.h"
#include "engine/network.h"
#include "engine/trainer.h"

namespace gnc::tests {

/// Pictures of `classes` textures with noise, 1x8x8, `per_class` of each; learnable in a few epochs. Orders
/// and flips are Philox's, as the real loader's.
class TinyImages final : public BatchSource {
 public:
  TinyImages(int classes, int per_class, std::uint64_t seed);
  const ImageSet& images() const override { return images_; }
  const Normalization& normalization() const override { return normalization_; }
  EpochOrder order(std::uint64_t seed, int epoch) const override;
  /// Orders asked for so far.
  int orders_made() const { return orders_made_; }

 private:
  ImageSet images_;
  Normalization normalization_;
  mutable int orders_made_ = 0;
};

/// conv 1→4, batch norm + ReLU, pool, conv 4→6, batch norm + ReLU, pool, flatten, linear → `feature_dim`,
/// frozen classifier.
std::unique_ptr<Network> tiny_network(int feature_dim, int classes);

/// Fills the frozen classifier of run `run` with ±1 vectors on the axes: class y gets (−1)^(y / feature_dim)
/// e_{y mod feature_dim}.
void install_cross(Trainer& trainer, int run);

/// A few epochs of small batches with a short last one.
TrainerSettings tiny_settings();

}  // namespace gnc::tests
