#pragma once
/// The oracle: every op as its formula says it, in double, one element after another.

#include <memory>

#include "engine/backend.h"

namespace gnc {

/// Opens `reference`. It takes fp32 and fp64 tensors in every layout, computes in double and rounds once, at
/// the end; slow, and the same bits everywhere.
std::unique_ptr<Backend> open_reference_backend();

}  // namespace gnc
