#include "apps/measure/machine.h"

#include <fmt/format.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <dnnl.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string_view>

namespace gnc {

namespace fs = std::filesystem;

namespace {

/// The value of the first line of /proc/cpuinfo with that key.
std::string processor_line(std::string_view key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || !line.starts_with(key)) continue;
    const std::size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

/// Those in which kernels of gnc, oneDNN or compilers differ.
std::vector<std::string> known_features() {
  constexpr std::array<std::string_view, 9> kOfInterest = {
      "avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd"};
  std::string flags = processor_line("flags");
  if (flags.empty()) flags = processor_line("Features");  // Arm
  std::istringstream words(flags);
  std::vector<std::string> found;
  for (std::string word; words >> word;)
    if (std::ranges::find(kOfInterest, word) != kOfInterest.end()) found.push_back(word);
  return found;
}

std::size_t positive(long value) { return value > 0 ? static_cast<std::size_t>(value) : 0; }

std::string isa_name(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41:
      return "SSE4.1";
    case dnnl::cpu_isa::avx:
      return "AVX";
    case dnnl::cpu_isa::avx2:
      return "AVX2";
    case dnnl::cpu_isa::avx2_vnni:
      return "AVX2 VNNI";
    case dnnl::cpu_isa::avx512_core:
      return "AVX-512";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "AVX-512 VNNI";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "AVX-512 bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "AMX";
    default:
      return "default";
  }
}

/// What nvidia-smi answers of the device that CUDA uses; empty where it is not there or fails.
std::string ask_gpu(const std::string& bus_id, const std::string& query) {
  const std::string device = bus_id.empty() ? "" : " --id=" + bus_id;
  const std::string command =
      "nvidia-smi --query-gpu=" + query + device + " --format=csv,noheader 2>/dev/null";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) return "";
  std::array<char, 256> line{};
  if (std::fgets(line.data(), line.size(), pipe.get()) == nullptr) return "";
  std::string answer(line.data());
  answer.erase(answer.find_last_not_of(" \n") + 1);
  return answer.find("failed") == std::string::npos ? answer : "";
}

std::string clocks(const std::string& bus_id) {
  const std::string now = ask_gpu(bus_id, "clocks.sm"), most = ask_gpu(bus_id, "clocks.max.sm"),
                    memory = ask_gpu(bus_id, "clocks.mem");
  return now.empty() ? "" : fmt::format("SM {} of {}, memory {}", now, most, memory);
}

}  // namespace

std::size_t last_cache_bytes(const fs::path& processors) {
  // Not sysconf: of some processors it gives the sum over all cores' caches, of others that of one.
  std::map<std::string, std::size_t> caches;  // by the processors that share them
  std::error_code none;
  for (const fs::directory_entry& processor : fs::directory_iterator(processors, none)) {
    std::string shared_by = processor.path().filename();
    std::size_t largest = 0;
    for (int index = 0;; ++index) {
      const fs::path cache = processor.path() / "cache" / fmt::format("index{}", index);
      std::size_t kibibytes = 0;
      if (!(std::ifstream(cache / "size") >> kibibytes)) break;
      if (kibibytes << 10 <= largest) continue;
      largest = kibibytes << 10;
      std::ifstream(cache / "shared_cpu_list") >> shared_by;
    }
    if (largest > 0) caches[shared_by] = largest;
  }
  std::size_t sum = 0;
  for (const auto& [processors_of_it, bytes] : caches) sum += bytes;
  return sum;
}

Machine inspect_machine() {
  const dnnl_version_t& onednn = *dnnl_version();
  const std::string processor = processor_line("model name");
  const char* const commit = std::getenv("GNC_COMMIT");
  Machine machine{.processor = processor.empty() ? "unknown" : processor,
                  .features = known_features(),
                  .threads = omp_get_max_threads(),
                  .memory_bytes = positive(sysconf(_SC_PHYS_PAGES)) * positive(sysconf(_SC_PAGESIZE)),
                  .last_cache_bytes = gnc::last_cache_bytes(),
                  .onednn = fmt::format("{}.{}.{}", onednn.major, onednn.minor, onednn.patch),
                  .onednn_isa = isa_name(dnnl::get_effective_cpu_isa()),
                  .compiler = "g++ " __VERSION__,
                  .cuda = query_cuda(),
                  .cuda_libraries = query_cuda_libraries(),
                  .driver = "",
                  .clocks = "",
                  .commit = commit == nullptr ? "unknown" : commit};
  if (machine.cuda.driver_version != 0) {
    machine.driver = ask_gpu(machine.cuda.bus_id, "driver_version");
    machine.clocks = clocks(machine.cuda.bus_id);
  }
  return machine;
}

nlohmann::ordered_json to_json(const Machine& machine) {
  nlohmann::ordered_json json = {{"processor", machine.processor},
                                 {"features", machine.features},
                                 {"threads", machine.threads},
                                 {"memory_bytes", machine.memory_bytes},
                                 {"last_cache_bytes", machine.last_cache_bytes},
                                 {"onednn", machine.onednn},
                                 {"onednn_isa", machine.onednn_isa},
                                 {"compiler", machine.compiler},
                                 {"commit", machine.commit}};
  const CudaStatus& cuda = machine.cuda;
  json["gpu"] = cuda.is_usable ? nlohmann::ordered_json(cuda.name) : nlohmann::ordered_json(nullptr);
  if (!cuda.is_usable) json["gpu_reason"] = cuda.reason;
  if (cuda.is_usable) {
    json["gpu_memory_bytes"] = cuda.memory_bytes;
    json["compute_capability"] = fmt::format("{}.{}", cuda.capability_major, cuda.capability_minor);
  }
  json["driver"] = machine.driver;
  json["clocks"] = machine.clocks;
  json["cuda_built_with"] = cuda.runtime_version;
  json["cuda_of_driver"] = cuda.driver_version;
  for (const CudaLibrary& library : machine.cuda_libraries)
    json["libraries"][library.name] =
        library.version.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(library.version);
  return json;
}

}  // namespace gnc
