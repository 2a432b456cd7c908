#pragma once
/// Copies of tensors into another order of their elements, another width of their numbers, or both.

#include <cstdint>

#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// What becomes of an element.
enum class Conversion : std::uint8_t {
  kCopy1,       ///< bytes are moved, 1 per element
  kCopy2,       ///< 2 per element
  kCopy4,       ///< 4 per element
  kCopy8,       ///< 8 per element
  kFp32ToBf16,  ///< rounded to nearest, ties to even; NaN stays NaN
  kBf16ToFp32,  ///< exact
};

/// One extent of a tensor of up to four, with its strides in elements.
struct ConvertExtent {
  std::int64_t size = 1;
  std::int64_t x_stride = 0;
  std::int64_t y_stride = 0;
};

/// Run r of an operand starts r times its run stride (in elements) after its pointer. Both hold elements as
/// the conversion has them, aligned to their size.
struct ConvertArgs {
  const void* x;
  void* y;                    ///< not x; no two of its elements share memory
  ConvertExtent extents[4];   ///< in any order, e.g. N, C, H, W; of what is missing, a size of 1
  std::int64_t x_run_stride;  ///< 0: shared by the runs
  std::int64_t y_run_stride;
  int runs;  ///< at most 65535
  Conversion conversion;
};

/// y[i,j,k,l] = x[i,j,k,l] for all of the extents; memory between the elements of y is left alone. Queues one
/// kernel; throws LaunchError (kernels/simt.h).
void convert(const ConvertArgs& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
