#pragma once
/// What this machine is, as far as speed depends on it.

#include <nlohmann/json.hpp>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/backends/device/cuda_device.h"

namespace gnc {

struct Machine {
  std::string processor;              ///< as it calls itself; "unknown" where Linux does not say
  std::vector<std::string> features;  ///< those of its instruction sets that matter here, in Linux's words
  int threads = 1;                    ///< that gnc would use
  std::size_t memory_bytes = 0;
  std::size_t last_cache_bytes = 0;  ///< last_cache_bytes()
  std::string onednn;                ///< version
  std::string onednn_isa;            ///< the instruction set that oneDNN chooses kernels for
  std::string compiler;              ///< that built gnc
  CudaStatus cuda;
  std::vector<CudaLibrary> cuda_libraries;
  std::string driver;  ///< NVIDIA's, "580.65.06"; empty where there is none
  std::string
      clocks;  ///< of the GPU now: "SM 1980 MHz of 1980 MHz, memory 2619 MHz"; empty where it cannot be asked
  std::string commit;  ///< what the environment says in GNC_COMMIT; "unknown" without
};

/// Bytes of the last-level caches of all processors together (many have one for every few cores), as Linux
/// describes them in `processors`; 0 where it does not.
std::size_t last_cache_bytes(const std::filesystem::path& processors = "/sys/devices/system/cpu");

/// Asks the system; never throws for what is not there.
Machine inspect_machine();

/// Facts for the head of a result file.
nlohmann::ordered_json to_json(const Machine& machine);

}  // namespace gnc
