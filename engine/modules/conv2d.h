#pragma once
/// Convolution layer.

#include "engine/modules/module.h"
#include "engine/ops/conv2d.h"

namespace gnc {

/// How a convolution starts.
enum class ConvolutionInit : std::uint8_t {
  kKaimingNormalFanOut,  ///< N(0, 2/(O·K·K)), bias 0: torchvision's VGG, ResNet
  kPyTorchDefault,       ///< U(±1/√(C·K·K)) for weights and bias: torch.nn.Conv2d
};

/// y = conv(x) + bias, parameters "weight" [O,C,K,K] and "bias" [O].
class Conv2d final : public Module {
 public:
  struct Options {
    int in_channels = 0;
    int out_channels = 0;
    Conv2dGeometry geometry;
    bool has_bias = true;
    ConvolutionInit init = ConvolutionInit::kKaimingNormalFanOut;
    InputGradient input_gradient = InputGradient::kCompute;
  };
  explicit Conv2d(const Options& options);

  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override;

 private:
  Options options_;
  Parameter weights_;
  Parameter bias_;
};

}  // namespace gnc
