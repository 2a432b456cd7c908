#pragma once
/// Residual connection (He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016).

#include <memory>

#include "engine/modules/module.h"
#include "engine/ops/batch_norm.h"

namespace gnc {

/// y = act(main(x) + shortcut(x)); without a shortcut, x itself is added. Both branches give their input's
/// gradient, and their outputs have one shape. Names: those of `main` stand directly under the block's own;
/// `shortcut` brings its own ("downsample.0"). The sum is written over a branch's output that nobody else
/// holds, and the gradients of the branches are added up in one of them.
class Residual final : public Module {
 public:
  struct Branches {
    std::unique_ptr<Module> main;
    std::unique_ptr<Module> shortcut;  ///< null: identity
  };
  explicit Residual(Branches branches, Activation activation = Activation::kRelu);

  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override;

 private:
  Branches branches_;
  Activation activation_;
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
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;

 private:
  int first_channel() const { return (options_.out_channels - options_.in_channels) / 2; }

  Options options_;
};

}  // namespace gnc
