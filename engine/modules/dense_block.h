#pragma once
/// Dense blocks: every layer sees the channels of all layers before it (Huang, Liu, van der Maaten,
/// Weinberger, "Densely connected convolutional networks", 2017).

#include <memory>
#include <string>
#include <vector>

#include "engine/modules/batch_norm.h"
#include "engine/modules/conv2d.h"
#include "engine/modules/module.h"

namespace gnc {

/// Of a block on its way back.
struct DenseBlockGradients {
  LeasedTensor channels;  ///< images of all channels, as forward left them
  BatchStatistics statistics;
  LeasedTensor of_channels;    ///< the gradient of `channels`, layer by layer
  LeasedTensor deferred_mean;  ///< [C]: what it still lacks (BatchNormSharedBackward)
  LeasedTensor deferred_tilt;  ///< likewise
};

/// `layers` layers, each of which adds `growth` channels to the images that it got from the one before:
///   [x, layer_1, …, layer_L],  layer_l = conv3x3(ReLU(BN(conv1x1(ReLU(BN(all channels before it)))))),
/// or conv3x3(ReLU(BN(·))) without a bottleneck; no biases. Parameters are named as torchvision's:
/// "denselayer1.norm1", "denselayer1.conv1", ".norm2", ".conv2".
///
/// All layers write into one tensor, and read slices of it: nothing is concatenated, forward or backward. In
/// training all that normalise a channel take the same mean and variance of it, which are made once. So
/// the input has to be the first channels of a tensor with room for all (Conv2d::Options::room), and the
/// gradient of the output becomes, with all consumers' shares added from the last layer to the first, that of
/// the input. Each layer adds in one pass what it knows before it has its sums over the batch; the rest is
/// subtracted once for all of them, from a layer's own channels before it goes backward, from the block's
/// input at the end. Kept for backward are, a layer, the bottleneck before and after its normalisation and,
/// unless it is to be computed again, what the first normalisation gave.
class DenseBlock final : public Module {
 public:
  struct Options {
    int in_channels = 0;
    int layers = 0;
    int growth = 0;
    int bottleneck = 0;  ///< channels of the 1x1 convolution; 0: there is none
    ConvolutionInit init = ConvolutionInit::kKaimingNormalFanIn;
    /// Whether backward computes again what the first normalisations gave, to the bit, from the channels and
    /// their statistics, instead of forward keeping it: images of Σ in_channels of the layers, most of what
    /// deep blocks hold.
    bool recomputes = false;

    int out_channels() const { return in_channels + layers * growth; }
  };
  explicit DenseBlock(const Options& options);

  /// x [N,in_channels,H,W], a slice of images of out_channels; y [N,out_channels,H,W] is those images.
  /// Throws ShapeError for an x without that room.
  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override;

 private:
  /// One layer; `channels` are the images with the channels of all.
  class Layer {
   public:
    Layer(const Options& options, int in_channels, std::string name);

    /// `statistics` (in training; else nothing) are those of all channels: it reads those of the channels
    /// before its own, and makes those of its own, unless it is the last one.
    void forward(const LeasedTensor& channels, const BatchStatistics& statistics, Pass& pass);
    /// Reads the gradient of its own channels, which is finished, adds to that of the channels before them,
    /// and overwrites, or adds to, what that lacks.
    void backward(const DenseBlockGradients& block, GradientMode deferred_mode, Pass& pass);
    /// In Mode::kDifferentiateInput: reads the gradient of its own channels, adds to that of the channels
    /// before them.
    void differentiate_input(const LeasedTensor& channels, const LeasedTensor& gradient, Pass& pass);
    LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const;
    void visit(const std::string& prefix, const ParameterVisitor& visitor);
    const std::string& name() const { return name_; }
    /// Of the channels before its own.
    int in_channels() const { return in_channels_; }

   private:
    LeasedTensor normalize(const Tensor& before, const BatchStatistics& statistics, Pass& pass);
    /// What it gave in forward.
    LeasedTensor normalize_again(const Tensor& before, const BatchStatistics& statistics, Pass& pass);

    std::string name_;  // "denselayer1"
    int in_channels_;
    int growth_;
    bool recomputes_;
    Conv2dGeometry first_geometry_;
    BatchNorm first_norm_;
    Conv2d first_convolution_;
    std::unique_ptr<BatchNorm> second_norm_;  // null: no bottleneck, the first convolution is the only one
    std::unique_ptr<Conv2d> second_convolution_;
  };

  LeasedTensor backward_in_training(LeasedTensor y_grad, Pass& pass);

  Options options_;
  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace gnc
