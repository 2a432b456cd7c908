/// An empty kernel that is compiled as all others are, and asked after instead of them.
#include "kernels/device_code.h"

#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

__global__ void empty() {}

}  // namespace

bool has_code_for_current_device() {
  cudaFuncAttributes attributes;
  const cudaError_t error = cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(&empty));
  if (error != cudaSuccess) static_cast<void>(cudaGetLastError());  // or the next launch would report it
  return error == cudaSuccess;
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
