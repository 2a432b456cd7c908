#include "engine/backends/device/cuda_device.h"

#include <cuda_runtime.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "kernels/device_code.h"

namespace gnc {
namespace {

/// 13000 → "13.0".
std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

/// Why counting the devices failed. The runtime says "driver too old" for a missing driver as well, so the
/// driver's version decides.
std::string explain_count(cudaError_t error, const CudaStatus& status) {
  if (status.driver_version == 0)
    return "no NVIDIA driver is installed (libcuda.so.1 was not found or is not of this system)";
  if (error == cudaErrorInsufficientDriver)
    return fmt::format(
        "the NVIDIA driver supports CUDA {}, but this gnc was built with CUDA {}; update the driver",
        version_text(status.driver_version), version_text(status.runtime_version));
  if (error == cudaErrorNoDevice || error == cudaSuccess) {
    const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
    if (visible != nullptr)
      return fmt::format("CUDA_VISIBLE_DEVICES='{}' leaves no GPU to use; the driver is there (CUDA {})",
                         visible, version_text(status.driver_version));
    return fmt::format("the NVIDIA driver is there (CUDA {}), but it finds no GPU",
                       version_text(status.driver_version));
  }
  return fmt::format("the CUDA runtime cannot list the GPUs: {}", cudaGetErrorString(error));
}

/// Fills in what the device is; returns why it cannot be used, or nothing.
std::string inspect_device(CudaStatus& status) {
  int device = 0;
  cudaDeviceProp properties{};
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, device);
  if (error != cudaSuccess)
    return fmt::format("the GPU cannot be asked what it is: {}", cudaGetErrorString(error));
  status.name = properties.name;
  status.capability_major = properties.major;
  status.capability_minor = properties.minor;
  status.memory_bytes = properties.totalGlobalMem;
  std::array<char, 32> bus_id{};
  if (cudaDeviceGetPCIBusId(bus_id.data(), bus_id.size(), device) == cudaSuccess)
    status.bus_id = bus_id.data();

  // Creates the context, which fails where the device is taken exclusively or in a prohibited compute mode.
  error = cudaFree(nullptr);
  if (error != cudaSuccess)
    return fmt::format("{} cannot be opened: {}", status.name, cudaGetErrorString(error));
  if (!kernels::has_code_for_current_device())
    return fmt::format(
        "{} has compute capability {}.{}, for which this gnc holds no code; build with that architecture "
        "added to "
        "GNC_CUDA_ARCHITECTURES",
        status.name, status.capability_major, status.capability_minor);
  return {};
}

}  // namespace

CudaStatus query_cuda() {
  CudaStatus status;
  status.runtime_version = CUDART_VERSION;
  if (cudaDriverGetVersion(&status.driver_version) != cudaSuccess) status.driver_version = 0;
  const cudaError_t error = cudaGetDeviceCount(&status.devices);
  if (error != cudaSuccess || status.devices == 0) {
    status.devices = 0;
    status.reason = explain_count(error, status);
  } else {
    status.reason = inspect_device(status);
  }
  static_cast<void>(cudaGetLastError());  // or the next launch would report what was handled here
  status.is_usable = status.reason.empty();
  return status;
}

}  // namespace gnc
