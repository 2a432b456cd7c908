#pragma once
/// Fully connected network, for quick studies.

#include "models/backbone.h"

namespace gnc {

/// Flattened images, then `depth` linear layers of `features` features, each with ReLU. Names and initial
/// weights are those of a torch.nn.Sequential "layers" of torch.nn.Linear and torch.nn.ReLU:
/// "layers.0.weight", "layers.2.weight", …
struct Mlp {
  int depth = 3;
  int features = 512;
};
BackboneBuilder mlp(const Mlp& network);

}  // namespace gnc
