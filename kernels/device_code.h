#pragma once
/// Whether this build has code for a GPU.

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Whether the kernels were compiled for the architecture of the current device (or for PTX that its driver
/// can translate). False too where there is no device.
bool has_code_for_current_device();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
