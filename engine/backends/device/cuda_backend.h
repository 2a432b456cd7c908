#pragma once
/// The backend "cuda".

#include <memory>

#include "engine/backend.h"

namespace gnc {

/// Opens the current CUDA device. Throws BackendError saying precisely why where there is none to use, or
/// where `convolution` wants cuDNN and it is not installed.
std::unique_ptr<Backend> open_cuda_backend(const BackendOptions& options);

}  // namespace gnc
