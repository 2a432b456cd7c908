#pragma once
/// Residual connection (He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016).

#include <memory>
#include <string>

#include "engine/modules/batch_norm.h"
#include "engine/modules/module.h"

namespace gnc {

/// y = ReLU(norm(main(x)) + shortcut(x)); without a shortcut, x itself is added. All but the convolutions is
/// one op each way, so that the sum before the ReLU is never stored; and the gradients of x
/// are added up where main writes its own. Names: those of `main` and that of the batch norm stand directly
/// under the block's own; `shortcut` brings its own ("downsample.0").
class Residual final : public Module {
 public:
  struct Branches {
    std::unique_ptr<Module> main;      ///< without the batch norm that ends it
    std::string norm;                  ///< name of that
    int channels = 0;                  ///< of its output
    std::unique_ptr<Module> shortcut;  ///< null: identity
  };
  explicit Residual(Branches branches);

  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override;

 private:
  Branches branches_;
  BatchNorm norm_;
};

/// The shortcut without parameters, "option A" of the paper's section 4.2, where a block narrows the image
/// and has more channels: every stride-th pixel, with channels of zeros around its own, half of them (rounded
/// down) in front.
class SubsampleShortcut final : public Module {
 public:
  struct Options {
    int in_channels = 0;
    int out_channels = 0;  ///< at least in_channels
    int stride = 1;
  };
  explicit SubsampleShortcut(const Options& options) : options_(options) {}

  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  SampledGradient backward_sampled(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;

 private:
  int first_channel() const { return (options_.out_channels - options_.in_channels) / 2; }

  Options options_;
};

}  // namespace gnc
