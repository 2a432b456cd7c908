#pragma once
/// Convolution layer.

#include "engine/modules/module.h"
#include "engine/ops/conv2d.h"

namespace gnc {

/// How a convolution starts.
enum class ConvolutionInit : std::uint8_t {
  kKaimingNormalFanOut,  ///< N(0, 2/(O·K·K)), bias 0: torchvision's VGG, ResNet
  kKaimingNormalFanIn,   ///< N(0, 2/(C·K·K)), bias 0: the narrow ResNets of CIFAR, torchvision's DenseNet
  kPyTorchDefault,  ///< U(±1/√(C·K·K)), kaiming_uniform(a=√5), for weights and bias: torch.nn.Conv2d
};

/// y = conv(x) + bias, parameters "weight" [O,C,K,K] and "bias" [O].
class Conv2d final : public Module {
 public:
  struct Options {
    int in_channels = 0;
    int out_channels = 0;
    Conv2dGeometry geometry;
    bool has_bias = true;
    /// Whether batch norm is all that takes y. In training, the convolution tells it the statistics of y; and
    /// as it subtracts the mean, and the bias with it, the bias has the gradient zero, which is not computed.
    bool is_normalized = false;
    /// Whether x is what a batch norm gives, and nobody else takes it. In training, the gradient of x is left
    /// to that norm's backward pass, which has both in one op (Pass::postpone).
    bool is_behind_norm = false;
    /// Whether x is what a residual block gives (BatchNorm::forward_sum), to others, too, whose gradients
    /// are there when the backward pass comes here (backward_onto). In training, theirs and this one are left
    /// to the block's last norm likewise.
    bool is_behind_sum = false;
    ConvolutionInit init = ConvolutionInit::kKaimingNormalFanOut;
    InputGradient input_gradient = InputGradient::kCompute;
    /// Channels of the tensor of which y is the first ones, for a DenseBlock that adds the others; 0: y
    /// alone.
    int room = 0;
  };
  explicit Conv2d(const Options& options);

  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LeasedTensor backward_onto(LeasedTensor y_grad, SampledGradient others, Pass& pass) override;
  SampledGradient backward_sampled(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override;

  // For modules that run the ops of this layer themselves.
  const Parameter& weights() const { return weights_; }

 private:
  /// Gives back what forward saved; in training, with the gradients of the parameters. The result is what x
  /// was.
  TensorSpec take_input(const Tensor& y_grad, Pass& pass);

  Options options_;
  Parameter weights_;
  Parameter bias_;
};

}  // namespace gnc
