#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <fmt/format.h>

#include "engine/backends/device/cuda_device.h"
#include "engine/backends/device/dynamic_library.h"

namespace gnc {
namespace {

/// What a library says of its version; `describe` opens it.
template <class Describe>
CudaLibrary asked(const std::string& name, const Describe& describe) {
  try {
    return {.name = name, .version = describe(), .reason = {}};
  } catch (const BackendError& error) {
    return {.name = name, .version = {}, .reason = error.what()};
  }
}

std::string cublas_version() {
  const DynamicLibrary library("libcublas.so." + std::to_string(CUBLAS_VER_MAJOR));
  const auto property = library.load<cublasStatus_t (*)(libraryPropertyType, int*)>("cublasGetProperty");
  int parts[3] = {};
  property(MAJOR_VERSION, &parts[0]);
  property(MINOR_VERSION, &parts[1]);
  property(PATCH_LEVEL, &parts[2]);
  return fmt::format("{}.{}.{}", parts[0], parts[1], parts[2]);
}

/// 91002 is 9.10.2.
std::string cudnn_version() {
  const DynamicLibrary library("libcudnn.so.9");
  const std::size_t version = library.load<std::size_t (*)()>("cudnnGetVersion")();
  return fmt::format("{}.{}.{}", version / 10000, version % 10000 / 100, version % 100);
}

std::string cupti_version() {
  const DynamicLibrary library("libcupti.so." + std::to_string(CUDART_VERSION / 1000));
  std::uint32_t version = 0;
  library.load<int (*)(std::uint32_t*)>("cuptiGetVersion")(&version);
  return std::to_string(version);
}

}  // namespace

std::vector<CudaLibrary> query_cuda_libraries() {
  return {asked("cuBLAS", cublas_version), asked("cuDNN", cudnn_version), asked("CUPTI", cupti_version)};
}

}  // namespace gnc
