#pragma once
/// The backend "simt": the CUDA kernels on the host.

#include <memory>

#include "engine/backend.h"

namespace gnc {

/// The very kernels of `cuda`, every thread of a block emulated. It proves them without a GPU; it is
/// thousands of times slower than one.
std::unique_ptr<Backend> open_simt_backend(Precision precision);

}  // namespace gnc
