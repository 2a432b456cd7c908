/// The rare paths of launch(): much shared memory, and failure.
#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>

#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

/// As written, e.g. "gnc::kernels::cuda::(anonymous
/// namespace)::sgd_step_v1(gnc::kernels::cuda::SgdStepArgs)".
std::string name_of(const void* kernel) {
  const char* mangled = nullptr;
  if (cudaFuncGetName(&mangled, kernel) != cudaSuccess || mangled == nullptr) return "a kernel";
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr), &std::free);
  return demangled == nullptr ? mangled : demangled.get();
}

std::ostream& operator<<(std::ostream& stream, const dim3& extent) {
  return stream << '(' << extent.x << ',' << extent.y << ',' << extent.z << ')';
}

}  // namespace

namespace detail {

void allow_shared_bytes(const void* kernel, const LaunchShape& shape) {
  if (shape.shared_bytes <= kPlainSharedBytes) return;
  const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                 static_cast<int>(shape.shared_bytes));
  if (error != cudaSuccess) fail_launch(kernel, shape, error);
}

void fail_launch(const void* kernel, const LaunchShape& shape, cudaError_t error) {
  static_cast<void>(cudaGetLastError());  // or a later check would find this error again
  std::ostringstream message;
  message << "cannot launch " << name_of(kernel) << " with grid " << shape.grid << ", block " << shape.block
          << ", " << shape.shared_bytes << " bytes of dynamic shared memory: " << cudaGetErrorString(error);
  // The runtime reports a fault of a kernel at whatever call comes next.
  if (error != cudaErrorInvalidValue && error != cudaErrorInvalidConfiguration)
    message << " (an earlier kernel may have failed)";
  throw LaunchError(message.str());
}

}  // namespace detail
}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
