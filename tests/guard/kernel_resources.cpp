#include "tests/guard/kernel_resources.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "engine/error.h"

namespace gnc::tests {

std::string why_no_kernel_resources() {
  const std::filesystem::path table = GNC_KERNEL_RESOURCES;
  if (table.empty()) return "this is a build without CUDA";
  if (!std::filesystem::exists(table)) return table.string() + " is not there: build kernel_resources";
  if (read_kernel_resources(table, "sm_90a").empty()) return "nothing was built for sm_90a";
  return "";
}

std::map<std::string, KernelResources> read_kernel_resources(const std::filesystem::path& table,
                                                             const std::string& architecture) {
  std::ifstream file(table);
  std::map<std::string, KernelResources> kernels;
  std::string line;
  std::getline(file, line);  // names
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string built_for, name;
    KernelResources kernel;
    int loads = 0;
    words >> built_for >> name >> kernel.registers >> kernel.stack_bytes >> kernel.spill_bytes >> loads >>
        kernel.static_shared >> kernel.warps;
    require<Error>(static_cast<bool>(words), "{}: '{}' is no row", table.string(), line);
    kernel.spill_bytes += loads;
    if (built_for == architecture) kernels[name] = kernel;
  }
  return kernels;
}

int resident_blocks(const KernelResources& kernel, int threads, std::size_t dynamic_shared) {
  constexpr int kWarps = 64, kBlocks = 32, kRegistersOfPart = 16384, kParts = 4, kRegisterUnit = 256;
  constexpr std::size_t kShared = 228 * 1024, kReserved = 1024, kSharedUnit = 128;
  const int warps_of_block = (threads + 31) / 32;
  const int registers = (32 * kernel.registers + kRegisterUnit - 1) / kRegisterUnit * kRegisterUnit;
  const int warps = std::min(kWarps, kRegistersOfPart / registers * kParts);
  const std::size_t asked = static_cast<std::size_t>(kernel.static_shared) + dynamic_shared + kReserved;
  const std::size_t shared = (asked + kSharedUnit - 1) / kSharedUnit * kSharedUnit;
  return std::min({kBlocks, warps / warps_of_block, static_cast<int>(kShared / shared)});
}

}  // namespace gnc::tests
