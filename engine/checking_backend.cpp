#include "engine/checking_backend.h"

#include <algorithm>
#include <cmath>

namespace gnc {
namespace {

bool is_finite(const Tensor& tensor, int run) {
  const HostTensor values = download(tensor.runs() == 1 ? tensor : tensor.run(run));
  switch (tensor.dtype()) {
    case DType::kF32:
      return std::ranges::all_of(values.values<float>(), [](float x) { return std::isfinite(x); });
    case DType::kF64:
      return std::ranges::all_of(values.values<double>(), [](double x) { return std::isfinite(x); });
    case DType::kBf16:
      return std::ranges::all_of(values.values<Bf16>(), [](Bf16 x) { return std::isfinite(x.to_float()); });
    default:
      return true;
  }
}

}  // namespace

void CheckingBackend::look(std::string_view op, const std::vector<ConstTensor>& operands,
                           const std::vector<Tensor>& outputs) {
  if (!first_fault_.empty()) return;
  const std::string layer = layer_of(operands);
  if (!std::ranges::all_of(outputs, [&](const Tensor& output) { return is_finite(output, run_); }))
    first_fault_ = !layer.empty()         ? fmt::format("layer {} ({})", layer, op)
                   : !last_layer_.empty() ? fmt::format("behind layer {} ({})", last_layer_, op)
                                          : fmt::format("the pictures ({})", op);
  if (!layer.empty()) last_layer_ = layer;
}

std::string CheckingBackend::layer_of(const std::vector<ConstTensor>& operands) const {
  const auto is_of = [&](const Parameter& parameter) {
    return std::ranges::any_of(operands, [&](const ConstTensor& operand) {
      return operand.raw() == parameter.value.raw() || operand.raw() == parameter.gradient.raw() ||
             operand.raw() == parameter.bf16_value.raw();
    });
  };
  for (const auto* entries : {&parameters_.trained(), &parameters_.buffers()})
    for (const ParameterArena::Entry& entry : *entries)
      if (is_of(*entry.parameter)) return entry.name.substr(0, entry.name.rfind('.'));
  return {};
}

}  // namespace gnc
