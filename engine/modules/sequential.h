#pragma once
/// Modules one after another.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/modules/module.h"

namespace gnc {

/// Children carry their own state_dict names ("features.4"), so a layer that is fused into its neighbour
/// leaves a gap in the numbering instead of shifting it.
class Sequential final : public Module {
 public:
  /// Appends a module under `name`; "" adds nothing to the names of its parameters.
  void add(std::string name, std::unique_ptr<Module> module) {
    children_.emplace_back(std::move(name), std::move(module));
  }
  LeasedTensor forward(LeasedTensor x, Pass& pass) override;
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override;
  LeasedTensor backward_onto(LeasedTensor y_grad, SampledGradient others, Pass& pass) override;
  SampledGradient backward_sampled(LeasedTensor y_grad, Pass& pass) override;
  LipschitzBound lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const override;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override;

 private:
  /// Of the children from the last to the one at `end`.
  LeasedTensor backward_down_to(std::size_t end, LeasedTensor y_grad, Pass& pass);

  std::vector<std::pair<std::string, std::unique_ptr<Module>>> children_;
};

}  // namespace gnc
