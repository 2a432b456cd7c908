#pragma once
/// In what arithmetic a network is computed: the setting --precision.

#include <cstdint>
#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// Parameters, statistics, losses and metrics are fp32 or better in all of them, and every sum is accumulated
/// in fp32 or better.
enum class Precision : std::uint8_t {
  kFp32,  ///< strict: every operation in fp32
  kTf32,  ///< fp32 storage; convolutions and matrix products round their inputs to TF32 (11 significant bits)
  kBf16,  ///< images (activations and their gradients) and the weights of convolutions are stored in bf16
};

/// "fp32" | "tf32" | "bf16".
std::string_view to_string(Precision precision);
/// The inverse. Throws UsageError naming the choices.
Precision parse_precision(std::string_view name);

/// The dtype in which images are stored: bf16, or fp32.
DType image_dtype(Precision precision);

}  // namespace gnc
