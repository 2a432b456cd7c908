#pragma once

#include <cstdint>

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// What becomes of the contents of a gradient.
enum class GradientMode : std::uint8_t { kOverwrite, kAccumulate };

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
