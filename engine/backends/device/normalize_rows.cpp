#include "kernels/normalize_rows.h"

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {

void execute(DeviceBackend& device, const NormalizeRowsForward& op) {
  require_dtype(op.kName, "x", op.x, DType::kF32);
  kernels::normalize_rows_forward({.x = pointer<float>(op.x),
                                   .y_grad = nullptr,
                                   .result = pointer<float>(op.y),
                                   .x_run_stride = op.x.run_stride(),
                                   .y_grad_run_stride = 0,
                                   .result_run_stride = op.y.run_stride(),
                                   .rows = op.x.shape()[0],
                                   .dim = op.x.shape()[1],
                                   .runs = op.y.runs(),
                                   .norm = op.norm,
                                   .zero_norm = static_cast<float>(kZeroRowNorm)},
                                  device.stream());
}

void execute(DeviceBackend& device, const NormalizeRowsBackward& op) {
  require_dtype(op.kName, "x", op.x, DType::kF32);
  kernels::normalize_rows_backward({.x = pointer<float>(op.x),
                                    .y_grad = pointer<float>(op.y_grad),
                                    .result = pointer<float>(op.x_grad),
                                    .x_run_stride = op.x.run_stride(),
                                    .y_grad_run_stride = op.y_grad.run_stride(),
                                    .result_run_stride = op.x_grad.run_stride(),
                                    .rows = op.x.shape()[0],
                                    .dim = op.x.shape()[1],
                                    .runs = op.x_grad.runs(),
                                    .norm = op.norm,
                                    .zero_norm = static_cast<float>(kZeroRowNorm)},
                                   device.stream());
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
