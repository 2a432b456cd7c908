#pragma once
/// Which kernel of the emulator an address in this program is.

#include <string>

namespace gnc::tests {

/// "batch_norm_apply_v1<8,BatchNormApplyArgs<Bf16>>", as kernels/kernel_resources.cmake writes it for nvcc's
/// kernels: template arguments, but no namespaces and no parameters. From the program's own symbols, which nm
/// reads. Throws Error where there is no function at that address.
std::string kernel_name(const void* kernel);

}  // namespace gnc::tests
