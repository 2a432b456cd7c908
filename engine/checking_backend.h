#pragma once
/// A backend that looks at every value that an op writes: slow, to find out where a training diverged.

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "engine/backend.h"
#include "engine/parameter_arena.h"

namespace gnc {

/// Runs ops on another backend, and remembers the first one that wrote a value that is not finite, by the
/// layer whose parameters are the op's operands.
class CheckingBackend final : public ImplementedBy<CheckingBackend, AllOps> {
 public:
  /// Looks at the values of run `run` alone.
  CheckingBackend(Backend& checked, const ParameterArena& parameters, int run)
      : checked_(checked), parameters_(parameters), run_(run) {}
  std::string_view name() const override { return "checking"; }
  MemoryResource& memory() override { return checked_.memory(); }
  Precision precision() const override { return checked_.precision(); }
  Layout image_layout() const override { return checked_.image_layout(); }
  Layout weights_layout(const Shape& shape) const override { return checked_.weights_layout(shape); }

  /// "layer features.3 (Conv2dForward)", "behind layer bn1 (ReluForward)"; empty while everything was finite.
  const std::string& first_fault() const { return first_fault_; }

  Backend& checked() { return checked_; }
  /// Looks at what the op `op` wrote; `operands` may be parameters.
  void look(std::string_view op, const std::vector<ConstTensor>& operands,
            const std::vector<Tensor>& outputs);

 private:
  /// The layer that one of the operands belongs to, or nothing.
  std::string layer_of(const std::vector<ConstTensor>& operands) const;

  Backend& checked_;
  const ParameterArena& parameters_;
  const int run_;
  std::string last_layer_;
  std::string first_fault_;
};

/// The tensors of an op by the names that ops give them: what is written, and what may belong to a layer.
template <class Op>
void execute(CheckingBackend& backend, const Op& op) {
  backend.checked().run(op);
  std::vector<ConstTensor> operands;
  std::vector<Tensor> outputs;
  const auto add = [&]<class T>(const T& tensor) {
    if (!tensor) return;
    operands.push_back(tensor);
    if constexpr (std::is_same_v<T, Tensor>) outputs.push_back(tensor);
  };
  if constexpr (requires { op.weights; }) add(op.weights);
  if constexpr (requires { op.weights_grad; }) add(op.weights_grad);
  if constexpr (requires { op.scale; }) add(op.scale);
  if constexpr (requires { op.bias; }) add(op.bias);
  if constexpr (requires { op.bias_grad; }) add(op.bias_grad);
  if constexpr (requires { op.b; }) add(op.b);
  if constexpr (requires { op.c; }) add(op.c);
  if constexpr (requires { op.mean; }) add(op.mean);
  if constexpr (requires { op.invstd; }) add(op.invstd);
  if constexpr (requires { op.y; }) add(op.y);
  if constexpr (requires { op.losses; }) add(op.losses);
  if constexpr (requires { op.logits_grad; }) add(op.logits_grad);
  if constexpr (requires { op.scale_grad; }) add(op.scale_grad);
  if constexpr (requires { op.shift_grad; }) add(op.shift_grad);
  if constexpr (requires { op.x_grad; }) add(op.x_grad);
  backend.look(Op::kName, operands, outputs);
}

}  // namespace gnc
