#pragma once
/// Sizes that do not fit into memory are refused before anything is allocated.

#include <cstdint>

namespace gnc {

/// What is to be done with a frame of C vectors in R^d.
enum class FrameWork : std::uint8_t {
  kMeasure,  ///< hold, rotate, write and certify it: six copies of [d,C]
  kSearch,   ///< optimise it: besides, what the lanes of one thread take (a large search has one)
};

/// Throws UsageError that says how much memory would be needed if that is more than the machine has, by its
/// physical memory. dim >= 1, classes >= 1.
void check_frame_memory(int dim, int classes, FrameWork work);

}  // namespace gnc
