#include "kernels/batch_norm_pool.h"

#include "engine/backends/device/batch_norm.h"
#include "engine/backends/device/device_backend.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

/// `pooled` is y or its gradient.
kernels::PoolWindows windows_of(std::string_view op, const ConstTensor& x, std::string_view name,
                                const ConstTensor& pooled) {
  const Shape& shape = pooled.shape();
  return {.images = shape[0],
          .height = shape[2],
          .width = shape[3],
          .strides = image_strides(op, "x", x),
          .pooled = image_strides(op, name, pooled)};
}

}  // namespace

void execute(DeviceBackend& device, const BatchNormMaxPoolForward& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.kName, op.x);
  const kernels::PoolWindows windows = windows_of(op.kName, op.x, "y", op.y);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::batch_norm_max_pool_forward<T>({.norm = forward_args<T>(device, op, extents),
                                             .windows = windows,
                                             .winner = pointer<std::uint8_t>(op.winner),
                                             .winner_run_stride = op.winner.run_stride()},
                                            device.stream());
  });
}

void execute(DeviceBackend& device, const BatchNormMaxPoolBackward& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  const kernels::BatchNormExtents extents = extents_of(op.kName, op.x);
  const kernels::PoolWindows windows = windows_of(op.kName, op.x, "y_grad", op.y_grad);
  void* const workspace = device.workspace(
      kernels::batch_norm_max_pool_backward_workspace(windows, extents.channels, extents.runs));
  int* const tickets = device.tickets(kernels::batch_norm_tickets(extents));
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::batch_norm_max_pool_backward<T>({.norm = backward_args<T>(op, extents, workspace, tickets),
                                              .windows = windows,
                                              .winner = pointer<std::uint8_t>(op.winner),
                                              .winner_run_stride = op.winner.run_stride()},
                                             device.stream());
  });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
