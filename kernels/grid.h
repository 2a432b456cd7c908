#pragma once
/// Extents of grids.

#include <cstdint>
#include <string>

#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// ⌈a/b⌉ of what is not negative.
constexpr std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// `blocks` as the x extent of a grid. Throws LaunchError past the hardware's 2³¹−1, which a cast to unsigned
/// would hide.
inline unsigned grid_extent(std::int64_t blocks) {
  if (blocks > 0x7fffffff)
    throw LaunchError("a grid of " + std::to_string(blocks) + " blocks in x is more than 2^31 - 1");
  return static_cast<unsigned>(blocks);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
