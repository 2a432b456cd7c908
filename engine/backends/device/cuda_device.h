#pragma once
/// What GPU there is, or precisely why there is none to use.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "engine/backend.h"

namespace gnc {

/// The current CUDA device as this build can use it.
struct CudaStatus {
  bool is_usable = false;
  std::string reason;  ///< why it is not usable, and what to do; empty when it is
  std::string name;    ///< e.g. "NVIDIA H100 80GB HBM3"; empty when no device was found
  int capability_major = 0;
  int capability_minor = 0;
  std::size_t memory_bytes = 0;
  std::string bus_id;      ///< on PCI, as nvidia-smi takes it: "0000:3b:00.0"; empty when no device was found
  int devices = 0;         ///< devices that the driver shows to this process
  int driver_version = 0;  ///< newest CUDA the driver supports, 1000·major + 10·minor; 0 without a driver
  int runtime_version = 0;  ///< CUDA this was built with, the same form; 0 when built without
};

/// A library of NVIDIA's that `cuda` opens when it needs it.
struct CudaLibrary {
  std::string name;     ///< "cuBLAS"
  std::string version;  ///< "13.0.1"; empty where it is not there
  std::string reason;   ///< why it is not there
};

/// cuBLAS, cuDNN and CUPTI, as the loader finds them. Never throws; a build without CUDA looks for none and
/// says so.
std::vector<CudaLibrary> query_cuda_libraries();

/// Seconds by the device's own clock, between events around what `work` queues on `backend`, which is `cuda`;
/// waits for it. Throws BackendError in a build without CUDA.
double cuda_seconds(Backend& backend, const std::function<void()>& work);

/// Why the last matrix product or convolution that `backend` ran was not a library's (cuBLAS, cuDNN) but
/// gnc's own kernel; empty where it was. Throws BackendError where `backend` is not cuda.
std::string library_obstacle(Backend& backend);

/// Asks the CUDA runtime anew (a first call creates the context: some 100 ms). Never throws; also there in a
/// build without CUDA, which it then gives as the reason.
CudaStatus query_cuda();

}  // namespace gnc
