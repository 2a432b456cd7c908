#pragma once
/// The network of the paper's experiment: backbone, attached linear layer, frozen frame.

#include <memory>

#include "engine/network.h"
#include "models/backbone.h"

namespace gnc {

/// features = Linear(backbone(x)) with bias and nothing behind it ("projection"), logits = ⟨M_y, features⟩
/// with a frozen M (Backbone::classifier, to be filled with the frame). Section 4.2: "we attach a linear
/// layer after the end of backbone". Trained under plain cross-entropy by the op FixedClassifierLoss, which
/// is all behind the backbone.
std::unique_ptr<Network> build_frozen_network(const BackboneEntry& backbone, const BackboneOptions& options,
                                              int feature_dim, int num_classes);
/// The same around a backbone that is built already.
std::unique_ptr<Network> build_frozen_network(Backbone backbone, int feature_dim, int num_classes);

}  // namespace gnc
