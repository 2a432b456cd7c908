#pragma once
/// bfloat16 as storage: kernels load it, compute in fp32, and round once when they store.

#include <cstdint>

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#define GNC_HOST_DEVICE __host__ __device__
#else
#include <bit>
#define GNC_HOST_DEVICE
#endif

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// The upper half of an fp32 number. Lies in memory as the engine's own Bf16.
struct Bf16 {
  std::uint16_t bits;
};

GNC_HOST_DEVICE inline float to_float(float value) { return value; }
GNC_HOST_DEVICE inline float to_float(Bf16 value) {
#if defined(__CUDACC__)
  return __bfloat162float(__ushort_as_bfloat16(value.bits));
#else
  return std::bit_cast<float>(std::uint32_t{value.bits} << 16);
#endif
}

/// Rounds to nearest, ties to even; NaN stays NaN. `from_float<float>` is the identity.
template <class T>
GNC_HOST_DEVICE T from_float(float value);

template <>
GNC_HOST_DEVICE inline float from_float<float>(float value) {
  return value;
}

template <>
GNC_HOST_DEVICE inline Bf16 from_float<Bf16>(float value) {
#if defined(__CUDACC__)
  return {__bfloat16_as_ushort(__float2bfloat16_rn(value))};
#else
  const auto bits = std::bit_cast<std::uint32_t>(value);
  // As the hardware writes every NaN.
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {0x7fff};
  const std::uint32_t round_up = 0x7fffu + ((bits >> 16) & 1u);
  return {static_cast<std::uint16_t>((bits + round_up) >> 16)};
#endif
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels

#undef GNC_HOST_DEVICE
