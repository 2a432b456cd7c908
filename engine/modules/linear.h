#pragma once
/// Fully connected layer.

#include "engine/modules/module.h"

namespace gnc {

enum class Bias : std::uint8_t { kNo, kYes };

/// y = x·Wᵀ + b for x [N,in], parameters "weight" [out,in] and "bias" [out], both starting U(±1/√in) as
/// torch.nn.Linear.
class Linear final : public Module {
 public:
  struct Options {
    int in_features = 0;
    int out_features = 0;
    Bias bias = Bias::kYes;
  };
  explicit Linear(const Options& options);

  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
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
