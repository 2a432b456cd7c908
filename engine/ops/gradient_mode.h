#pragma once

#include <cstdint>

namespace gnc {

/// What becomes of the contents of a gradient.
enum class GradientMode : std::uint8_t { kOverwrite, kAccumulate };

}  // namespace gnc
