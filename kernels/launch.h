#pragma once
/// What a launch is, on either target. Included by kernels/simt.h, after `dim3` is known.

#include <cstddef>
#include <source_location>
#include <stdexcept>

#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// A kernel could not be queued. Names the kernel (or who launched it), its launch shape and why.
class LaunchError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// How a kernel is launched.
struct LaunchShape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;  ///< dynamic shared memory of a block
  Stream stream = nullptr;
  std::source_location launcher =
      std::source_location::current();  ///< left alone: where the shape is written
};

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
