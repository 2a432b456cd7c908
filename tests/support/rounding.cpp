#include "tests/support/rounding.h"

#include <bit>

namespace gnc::tests {
namespace {

template <class Round>
void round_all(HostTensor& tensor, Round round) {
  for (float& value : tensor.values<float>()) value = round(value);
}

}  // namespace

float rounded_to_tf32(float value) {
  constexpr std::uint32_t kCutOff = 0x1fff;  // 13 of the 23 stored bits of a significand
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + (kCutOff + 1) / 2) & ~kCutOff);
}

DType placed_dtype(const CaseOperand& operand, DType image) {
  const DType dtype = operand.values.spec().dtype;
  if (dtype != DType::kF32) return dtype;
  if (image != DType::kBf16) return image;
  return operand.real.value_or(operand.storage == Storage::kPlain ? DType::kF32 : DType::kBf16);
}

Operands rounded_for(Precision precision, Operands operands) {
  if (precision == Precision::kFp32) return operands;
  const DType image = image_dtype(precision);
  for (CaseOperand& operand : operands.list) {
    if (operand.values.spec().dtype != DType::kF32) continue;
    if (placed_dtype(operand, image) == DType::kBf16)
      round_all(operand.values, [](float value) { return Bf16::from_float(value).to_float(); });
    else if (operand.is_multiplied)
      round_all(operand.values, rounded_to_tf32);
  }
  return operands;
}

}  // namespace gnc::tests
