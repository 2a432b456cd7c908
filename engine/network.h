#pragma once
/// A network as the paper sees it: a feature extractor f(·; w) and a linear classifier M behind it.

#include <memory>
#include <string>
#include <utility>

#include "engine/loss.h"
#include "engine/modules/module.h"

namespace gnc {

/// logits = Mᵀ f(x; w). The features z = f(x; w) are what neural collapse is about, so they can be had beside
/// the logits.
class Network : public Module {
 public:
  struct Output {
    LeasedTensor features;  // [N,d]
    LeasedTensor logits;    // [N,C]
  };

  /// `features` maps images [N,C,H,W] to [N,feature_dim]; `classifier` maps those to [N,num_classes].
  /// Parameters of the classifier are named `classifier_name`.…
  Network(std::unique_ptr<Module> features, std::unique_ptr<Module> classifier, int feature_dim,
          int num_classes, std::string classifier_name = "classifier")
      : features_(std::move(features)),
        classifier_(std::move(classifier)),
        classifier_name_(std::move(classifier_name)),
        feature_dim_(feature_dim),
        num_classes_(num_classes) {}

  Output forward_with_features(LeasedTensor x, Pass& pass) {
    Output output;
    output.features = features_->forward(std::move(x), pass);
    const LayerRange range(pass, classifier_name_);
    output.logits = classifier_->forward(output.features, pass);
    return output;
  }
  LeasedTensor forward(LeasedTensor x, Pass& pass) override {
    return forward_with_features(std::move(x), pass).logits;
  }
  LeasedTensor backward(LeasedTensor logits_grad, Pass& pass) override {
    LeasedTensor features_grad =
        in_layer(pass, classifier_name_, [&] { return classifier_->backward(std::move(logits_grad), pass); });
    return features_->backward(std::move(features_grad), pass);
  }
  /// What a batch is trained towards.
  struct Target {
    LossFunction loss;
    ConstTensor labels;  // [B]
    Tensor losses;       // [B], written
  };

  /// Training but for the update: the losses of a batch, and the gradients of their mean in all parameters. A
  /// network that knows a shorter way than this one takes it.
  virtual void differentiate(LeasedTensor x, const Target& target, Pass& pass) {
    LeasedTensor logits = forward(std::move(x), pass);
    in_layer(pass, "loss",
             [&] { target.loss.run(pass.backend(), logits.tensor(), target.labels, target.losses); });
    backward(std::move(logits), pass);
  }
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override {
    features_->visit(prefix, visitor);
    classifier_->visit(classifier_prefix(prefix), visitor);
  }

  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override {
    LipschitzBound features = feature_lipschitz(prefix, x, probe);
    const Shape output = features.output;
    return std::move(features).then(classifier_->lipschitz(classifier_prefix(prefix), output, probe));
  }
  /// Of the features alone: the L of Theorem 4.2.
  LipschitzBound feature_lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const {
    return features_->lipschitz(prefix, x, probe);
  }

  /// f(·; w), and Mᵀ behind it.
  Module& features() { return *features_; }
  Module& classifier() { return *classifier_; }
  int feature_dim() const { return feature_dim_; }
  int num_classes() const { return num_classes_; }
  const std::string& classifier_name() const { return classifier_name_; }

 private:
  std::string classifier_prefix(const std::string& prefix) const {
    return prefix.empty() ? classifier_name_ : prefix + "." + classifier_name_;
  }

  std::unique_ptr<Module> features_;
  std::unique_ptr<Module> classifier_;
  std::string classifier_name_;
  int feature_dim_;
  int num_classes_;
};

}  // namespace gnc
