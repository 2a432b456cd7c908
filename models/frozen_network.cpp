#include "models/frozen_network.h"

#include "engine/modules/linear.h"
#include "engine/modules/sequential.h"
#include "models/fixed_classifier.h"

namespace gnc {

std::unique_ptr<Network> build_frozen_network(const BackboneEntry& backbone, const BackboneOptions& options,
                                              int feature_dim, int num_classes) {
  Backbone extractor = backbone.build(options);
  auto features = std::make_unique<Sequential>();
  features->add("", std::move(extractor.module));
  features->add("projection", std::make_unique<Linear>(Linear::Options{.in_features = extractor.features,
                                                                       .out_features = feature_dim}));
  return std::make_unique<Network>(std::move(features),
                                   std::make_unique<FixedClassifier>(feature_dim, num_classes), feature_dim,
                                   num_classes);
}

}  // namespace gnc
