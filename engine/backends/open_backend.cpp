/// Name to backend: the only file that sees them all.

#include <array>

#include "engine/backend.h"
#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/reference/reference_backend.h"
#ifdef GNC_HAS_CUDA
#include "engine/backends/device/cuda_device.h"
#endif
#include "engine/error.h"

namespace gnc {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"reference", "cpu", "simt", "cuda"};

[[noreturn]] void explain_missing_cuda() {
#ifdef GNC_HAS_CUDA
  const CudaStatus status = query_cuda();
  if (!status.is_usable) throw BackendError(fmt::format("backend cuda: {}", status.reason));
  throw BackendError(
      "backend cuda: a GPU is there, but this version has CUDA kernels for cross-entropy and the SGD step "
      "only; use "
      "--device cpu");
#else
  throw BackendError("backend cuda: this gnc was built without the CUDA toolkit; use --device cpu");
#endif
}

}  // namespace

std::unique_ptr<Backend> open_backend(std::string_view name, Precision precision) {
  if (name == "reference") return open_reference_backend(precision);
  if (name == "cpu" || name == "auto") {
    require<BackendError>(precision == Precision::kFp32,
                          "--device cpu computes in fp32; --precision {} needs cuda, simt or reference",
                          to_string(precision));
    return open_cpu_backend();
  }
  if (name == "cuda") explain_missing_cuda();
  if (name == "simt")
    throw BackendError(
        "backend simt: the host emulator of the CUDA kernels is not part of this version; use --device cpu");
  throw UsageError(fmt::format("unknown device '{}'; expected auto, reference, cpu, simt or cuda", name));
}

std::vector<std::string> available_backends() {
  std::vector<std::string> names;
  for (const std::string_view name : kNames) {
    try {
      open_backend(name);
      names.emplace_back(name);
    } catch (const BackendError&) {
      // Not on this machine: that is the answer, not a failure.
    }
  }
  return names;
}

}  // namespace gnc
