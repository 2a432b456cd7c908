#include "engine/precision.h"

#include "engine/error.h"

namespace gnc {

std::string_view to_string(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kTf32:
      return "tf32";
    case Precision::kBf16:
      return "bf16";
  }
  return "?";
}

Precision parse_precision(std::string_view name) {
  for (const Precision precision : {Precision::kFp32, Precision::kTf32, Precision::kBf16})
    if (name == to_string(precision)) return precision;
  throw UsageError(fmt::format("unknown precision '{}'; expected fp32, tf32 or bf16", name));
}

DType image_dtype(Precision precision) { return precision == Precision::kBf16 ? DType::kBf16 : DType::kF32; }

}  // namespace gnc
