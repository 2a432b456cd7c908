/// Name to backend: the only file that sees them all.

#include <array>
#include <utility>

#include "engine/backend.h"
#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/device/cuda_backend.h"
#include "engine/backends/device/cuda_device.h"
#include "engine/backends/device/simt_backend.h"
#include "engine/backends/reference/reference_backend.h"
#include "engine/error.h"

namespace gnc {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"reference", "cpu", "simt", "cuda"};

constexpr std::array<std::pair<Convolution, std::string_view>, 3> kConvolutions = {
    {{Convolution::kOwn, "own"}, {Convolution::kCudnn, "cudnn"}, {Convolution::kAuto, "auto"}}};

std::unique_ptr<Backend> open_fp32_cpu_backend(Precision precision) {
  require<UsageError>(precision == Precision::kFp32,
                      "--device cpu computes in fp32; --precision {} needs cuda, simt or reference",
                      to_string(precision));
  return open_cpu_backend();
}

}  // namespace

std::string_view to_string(Convolution convolution) {
  for (const auto& [value, name] : kConvolutions)
    if (value == convolution) return name;
  return "?";
}

Convolution parse_convolution(std::string_view name) {
  for (const auto& [value, known] : kConvolutions)
    if (known == name) return value;
  throw UsageError(fmt::format("unknown convolution '{}'; expected own, cudnn or auto", name));
}

std::unique_ptr<Backend> open_backend(std::string_view name, const BackendOptions& options) {
  if (name == "auto") {
    const CudaStatus cuda = query_cuda();
    require<UsageError>(
        cuda.is_usable || options.precision == Precision::kFp32,
        "--precision {}: --device auto is cpu here, which computes in fp32 (cuda cannot be used: {}); "
        "--device simt and --device reference have it",
        to_string(options.precision), cuda.reason);
    require<UsageError>(cuda.is_usable || options.convolution == Convolution::kOwn,
                        "--conv {} needs cuda, which cannot be used: {}", to_string(options.convolution),
                        cuda.reason);
    name = cuda.is_usable ? "cuda" : "cpu";
  }
  require<UsageError>(name == "cuda" || options.convolution == Convolution::kOwn,
                      "--conv {} needs --device cuda; on {} there is one implementation",
                      to_string(options.convolution), name);
  if (name == "reference") return open_reference_backend(options.precision);
  if (name == "cpu") return open_fp32_cpu_backend(options.precision);
  if (name == "simt") return open_simt_backend(options.precision);
  if (name == "cuda") return open_cuda_backend(options);
  throw UsageError(fmt::format("unknown device '{}'; expected auto, reference, cpu, simt or cuda", name));
}

std::vector<std::string> available_backends() {
  std::vector<std::string> names;
  for (const std::string_view name : kNames) {
    if (name != "cuda" || query_cuda().is_usable) names.emplace_back(name);
  }
  return names;
}

}  // namespace gnc
