#include "models/frozen_network.h"

#include "engine/modules/linear.h"
#include "engine/modules/sequential.h"
#include "models/fixed_classifier.h"

namespace gnc {
namespace {

constexpr const char* kProjection = "projection";

/// Its layers. The network owns them inside its modules.
struct Layers {
  Module& backbone;
  const Linear& projection;
  const FixedClassifier& classifier;
};

class FrozenNetwork final : public Network {
 public:
  FrozenNetwork(std::unique_ptr<Module> features, std::unique_ptr<Module> classifier, int feature_dim,
                int num_classes, std::string classifier_name, const Layers& layers)
      : Network(std::move(features), std::move(classifier), feature_dim, num_classes,
                std::move(classifier_name)),
        layers_(layers) {}

  void differentiate(LeasedTensor x, const Target& target, Pass& pass) override {
    if (!target.loss.is_plain_cross_entropy()) return Network::differentiate(std::move(x), target, pass);
    LeasedTensor output = layers_.backbone.forward(std::move(x), pass);
    LeasedTensor output_grad = pass.lease(output.tensor().spec());
    const Parameter &weights = layers_.projection.weights(), &bias = layers_.projection.bias();
    const FixedClassifierLoss head{.x = output.tensor(),
                                   .weights = weights.value,
                                   .bias = bias.value,
                                   .frame = layers_.classifier.weights().value,
                                   .labels = target.labels,
                                   .losses = target.losses,
                                   .x_grad = output_grad.tensor(),
                                   .weights_grad = weights.gradient,
                                   .bias_grad = bias.gradient};
    in_layer(pass, kProjection, [&] { pass.backend().run(head); });
    output = {};  // gives the memory back before the backbone asks for some
    layers_.backbone.backward(std::move(output_grad), pass);
  }

 private:
  Layers layers_;
};

}  // namespace

std::unique_ptr<Network> build_frozen_network(Backbone extractor, int feature_dim, int num_classes) {
  auto projection = std::make_unique<Linear>(
      Linear::Options{.in_features = extractor.features, .out_features = feature_dim});
  auto classifier = std::make_unique<FixedClassifier>(feature_dim, num_classes);
  const Layers layers{.backbone = *extractor.module, .projection = *projection, .classifier = *classifier};
  auto features = std::make_unique<Sequential>();
  features->add("", std::move(extractor.module));
  features->add(kProjection, std::move(projection));
  return std::make_unique<FrozenNetwork>(std::move(features), std::move(classifier), feature_dim, num_classes,
                                         std::move(extractor.classifier), layers);
}

std::unique_ptr<Network> build_frozen_network(const BackboneEntry& backbone, const BackboneOptions& options,
                                              int feature_dim, int num_classes) {
  return build_frozen_network(backbone.build(options), feature_dim, num_classes);
}

}  // namespace gnc
