/// The answers of a build without CUDA.

#include "engine/backends/device/cuda_backend.h"
#include "engine/backends/device/cuda_device.h"

namespace gnc {

CudaStatus query_cuda() {
  CudaStatus status;
  status.reason =
      "this gnc was built without CUDA; install the CUDA toolkit (12 or newer), see that nvcc is on PATH and "
      "build again";
  return status;
}

std::vector<CudaLibrary> query_cuda_libraries() {
  const std::string reason = "not looked for: this gnc was built without CUDA";
  return {{.name = "cuBLAS", .version = {}, .reason = reason},
          {.name = "cuDNN", .version = {}, .reason = reason},
          {.name = "CUPTI", .version = {}, .reason = reason}};
}

double cuda_seconds(Backend&, const std::function<void()>&) {
  throw BackendError("backend cuda: " + query_cuda().reason);
}

std::string library_obstacle(Backend&) { throw BackendError("backend cuda: " + query_cuda().reason); }

std::unique_ptr<Backend> open_cuda_backend(const BackendOptions&) {
  throw BackendError("backend cuda: " + query_cuda().reason);
}

}  // namespace gnc
