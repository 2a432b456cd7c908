#pragma once
/// Fully connected layer.

#include "engine/modules/module.h"

namespace gnc {

enum class Bias : std::uint8_t { kNo, kYes };

/// How a linear layer starts.
enum class LinearInit : std::uint8_t {
  kPyTorchDefault,  ///< U(±1/√in), kaiming_uniform(a=√5), for weights and bias: torch.nn.Linear
  kSmallNormal,     ///< N(0, 0.01²), bias 0: torchvision's VGG
  kKaimingNormal,   ///< N(0, 2/in), bias U(±1/√in): the narrow ResNets of CIFAR
  kZeroBias,        ///< U(±1/√in), bias 0: torchvision's DenseNet
};

/// y = x·Wᵀ + b for x [N,in], parameters "weight" [out,in] and "bias" [out].
class Linear final : public Module {
 public:
  struct Options {
    int in_features = 0;
    int out_features = 0;
    Bias bias = Bias::kYes;
    LinearInit init = LinearInit::kPyTorchDefault;
    InputGradient input_gradient = InputGradient::kCompute;
  };
  explicit Linear(const Options& options);

  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override;

  // For ops that compute this layer together with what follows it.
  const Parameter& weights() const { return weights_; }
  const Parameter& bias() const { return bias_; }

 private:
  Options options_;
  Parameter weights_;
  Parameter bias_;
};

}  // namespace gnc
