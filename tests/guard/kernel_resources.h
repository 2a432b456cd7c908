#pragma once
/// What ptxas says of the kernels that were built.

#include <filesystem>
#include <map>
#include <string>

namespace gnc::tests {

/// Of one kernel.
struct KernelResources {
  int registers = 0;      ///< of a thread
  int stack_bytes = 0;    ///< of a thread
  int spill_bytes = 0;    ///< stores and loads
  int static_shared = 0;  ///< bytes of a block
  int warps = 0;          ///< the most on a multiprocessor that the registers allow
};

/// Those of one architecture ("sm_90a") in build/kernel_resources.txt, by the kernel's name. Throws Error
/// naming a line that is none.
std::map<std::string, KernelResources> read_kernel_resources(const std::filesystem::path& table,
                                                             const std::string& architecture);

/// Why there is no such table here; empty when there is.
std::string why_no_kernel_resources();

/// Blocks of `threads` threads that a multiprocessor of compute capability 9.0 holds at once: 65536 registers
/// in units of 256 a warp and four parts, 64 warps, 32 blocks, 228 KiB of shared memory of which each block
/// takes 1 KiB more than it asked for, in units of 128 bytes (CUDA C++ Programming Guide, "Compute
/// Capabilities"; of the allocation units the CUDA occupancy calculator).
int resident_blocks(const KernelResources& kernel, int threads, std::size_t dynamic_shared);

}  // namespace gnc::tests
