#pragma once
/// Gradients of what a network gives, in its inputs: for attacks, and for Lipschitz constants from below.

#include <utility>

#include "engine/network.h"

namespace gnc {

/// A batch brought through a network once, in evaluation mode (running statistics), and any number of
/// gradients of its outputs in its inputs: all samples of all runs at once, as no sample's outputs depend on
/// another's inputs. What is wanted of each sample is a weighted sum of its outputs. Memory comes from
/// `arena`, and what the layers saved stays there as long as this lives. Gradients of the parameters are
/// neither computed nor written.
class InputDifferentiation {
 public:
  /// `x` [N,C,H,W] is normalised, in the backend's layout and dtype of images (fp64 beside parameters in
  /// fp64), of as many runs as the parameters have, or shared by them.
  InputDifferentiation(Network& network, Backend& backend, Arena& arena, LeasedTensor x)
      : network_(network),
        to_features_(backend, arena, Mode::kDifferentiateInput),
        to_logits_(backend, arena, Mode::kDifferentiateInput),
        features_(network.features().forward(std::move(x), to_features_)),
        logits_(network.classifier().forward(features_, to_logits_)) {}

  const Tensor& features() const { return features_.tensor(); }  ///< [N,d]
  const Tensor& logits() const { return logits_.tensor(); }      ///< [N,C]

  /// ∂/∂x_n Σ_k weights[n,k]·logits[n,k] for every sample n: [N,C,H,W], for weights [N,C] of every run.
  LeasedTensor of_logits(const Tensor& weights) const {
    Pass pass = to_logits_;
    return from_features(network_.classifier().backward(LeasedTensor::borrowed(weights), pass));
  }
  /// ∂/∂x_n Σ_k weights[n,k]·features[n,k], for weights [N,d].
  LeasedTensor of_features(const Tensor& weights) const {
    return from_features(LeasedTensor::borrowed(weights));
  }

 private:
  LeasedTensor from_features(LeasedTensor features_grad) const {
    Pass pass = to_features_;
    return network_.features().backward(std::move(features_grad), pass);
  }

  Network& network_;
  Pass to_features_;  // what backward needs; every backward pass gets a copy
  Pass to_logits_;
  LeasedTensor features_;
  LeasedTensor logits_;
};

}  // namespace gnc
