#pragma once
/// How kernels multiply numbers that are stored as fp32.

#include <cstdint>

namespace gnc::kernels {

/// Sums are fp32 in every mode. Operands stored as bfloat16 are multiplied exactly, whatever the mode.
enum class MathMode : std::uint8_t {
  kFp32,  ///< products of fp32 (FFMA)
  kTf32,  ///< operands rounded to TF32 (10 bits of mantissa), on tensor cores
};

}  // namespace gnc::kernels
