#include "engine/ops/fixed_classifier_loss.h"

#include "engine/ops/op.h"

namespace gnc {
namespace {

TensorSpec features_spec(const FixedClassifierLoss& op) {
  return {.shape = Shape({op.batch(), op.feature_dim()}, op.runs()), .dtype = op.x.dtype()};
}

TensorSpec logits_spec(const FixedClassifierLoss& op) {
  return {.shape = Shape({op.batch(), op.num_classes()}, op.runs()), .dtype = op.x.dtype()};
}

/// Where the logits begin, in bytes.
std::size_t logits_offset(const FixedClassifierLoss& op) {
  constexpr std::size_t kAlignment = MemoryResource::kAlignment;
  return (features_spec(op).bytes() + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

void FixedClassifierLoss::check() const {
  const Operand reals[] = {{"x", x},
                           {"weights", weights},
                           {"bias", bias},
                           {"frame", frame},
                           {"losses", losses},
                           {"x_grad", x_grad},
                           {"weights_grad", weights_grad},
                           {"bias_grad", bias_grad}};
  const Operand written[] = {
      {"losses", losses}, {"x_grad", x_grad}, {"weights_grad", weights_grad}, {"bias_grad", bias_grad}};
  check_operands(
      kName, losses.runs(),
      {reals[0], reals[1], reals[2], reals[3], {"labels", labels}, reals[4], reals[5], reals[6], reals[7]});
  require<ShapeError>(batch() >= 1 && in_features() >= 1, "{}: x {} is empty", kName, x.to_string());
  require<ShapeError>(feature_dim() >= 1, "{}: weights {} are empty", kName, weights.to_string());
  require<ShapeError>(num_classes() >= 1, "{}: frame {} is empty", kName, frame.to_string());
  check_shape(kName, {"x", x}, {batch(), in_features()});
  check_shape(kName, {"weights", weights}, {feature_dim(), in_features()});
  check_shape(kName, {"bias", bias}, {feature_dim()});
  check_shape(kName, {"frame", frame}, {num_classes(), feature_dim()});
  check_shape(kName, {"labels", labels}, {batch()});
  check_shape(kName, {"losses", losses}, {batch()});
  check_shape(kName, {"x_grad", x_grad}, x.shape());
  check_shape(kName, {"weights_grad", weights_grad}, weights.shape());
  check_shape(kName, {"bias_grad", bias_grad}, bias.shape());
  check_wide_dtype(kName, {"x", x});
  check_dtype(kName, {"labels", labels}, DType::kI32);
  for (const Operand& operand : reals) {
    check_dtype(kName, operand, x.dtype());
    require<ShapeError>(operand.tensor.layout() == Layout::kRowMajor,
                        "{}: {} is in layout {} but must be row-major", kName, operand.name,
                        to_string(operand.tensor.layout()));
  }
  for (const Operand& result : written) {
    check_written(kName, result);
    for (const Operand& operand : reals)
      require<ShapeError>(operand.name == result.name || operand.tensor.raw() != result.tensor.raw(),
                          "{}: {} and {} are the same memory", kName, operand.name, result.name);
  }
}

std::size_t FixedClassifierLossScratch::bytes(const FixedClassifierLoss& op) {
  return logits_offset(op) + logits_spec(op).bytes();
}

FixedClassifierLossScratch::FixedClassifierLossScratch(const FixedClassifierLoss& op, void* data,
                                                       MemoryResource& memory)
    : features(features_spec(op), data, memory),
      logits(logits_spec(op), static_cast<std::byte*>(data) + logits_offset(op), memory) {}

}  // namespace gnc
