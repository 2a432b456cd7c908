#include "models/classification_network.h"

#include "engine/modules/normalize_rows.h"
#include "engine/modules/sequential.h"
#include "models/fixed_classifier.h"
#include "models/frozen_network.h"

namespace gnc {
namespace {

bool has_projection(const HeadOptions& head, std::string_view backbone, int features) {
  if (head.projection == Projection::kAlways) return true;
  if (features == head.feature_dim) return false;
  require<UsageError>(head.projection == Projection::kAuto,
                      "--projection none: {} has {} features, but the classifier takes {}; a frame of that "
                      "dimension, or --projection auto",
                      backbone, features, head.feature_dim);
  return true;
}

std::unique_ptr<Module> classifier_of(const HeadOptions& head, LinearInit init) {
  if (head.classifier == ClassifierKind::kFixed)
    return std::make_unique<FixedClassifier>(head.feature_dim, head.num_classes);
  return std::make_unique<Linear>(Linear::Options{
      .in_features = head.feature_dim, .out_features = head.num_classes, .bias = head.bias, .init = init});
}

}  // namespace

bool is_temperature(double temperature) { return temperature >= 1e-6 && temperature <= 1e6; }

std::unique_ptr<Network> build_classification_network(const BackboneEntry& backbone,
                                                      const BackboneOptions& options,
                                                      const HeadOptions& head) {
  require<UsageError>(is_temperature(head.temperature), "--temperature {}; expected a number in [1e-6,1e6]",
                      head.temperature);
  Backbone extractor = backbone.build(options);
  const bool is_projected = has_projection(head, backbone.name, extractor.features);
  if (is_projected && head.classifier == ClassifierKind::kFixed && !head.has_unit_features)
    return build_frozen_network(std::move(extractor), head.feature_dim, head.num_classes);

  auto features = std::make_unique<Sequential>();
  features->add("", std::move(extractor.module));
  if (is_projected)
    features->add("projection", std::make_unique<Linear>(Linear::Options{.in_features = extractor.features,
                                                                         .out_features = head.feature_dim}));
  if (head.has_unit_features)
    features->add("", std::make_unique<NormalizeRows>(static_cast<float>(1 / head.temperature)));
  return std::make_unique<Network>(std::move(features), classifier_of(head, extractor.classifier_init),
                                   head.feature_dim, head.num_classes, std::move(extractor.classifier));
}

}  // namespace gnc
