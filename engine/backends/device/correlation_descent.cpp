#include "engine/ops/correlation_descent.h"

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"
#include "kernels/correlation_descent.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

template <class T>
void descend(DeviceBackend& device, const CorrelationDescent& op) {
  const std::int64_t bytes = kernels::correlation_descent_bytes<T>(op.num_vectors(), op.dim());
  require<BackendError>(bytes <= kernels::kCorrelationDescentMostBytes,
                        "{}: {} vectors of {} dimensions take {} KB of a block's shared memory, of which "
                        "there are {} KB; take device cpu",
                        op.kName, op.num_vectors(), op.dim(), (bytes + 1023) / 1024,
                        kernels::kCorrelationDescentMostBytes / 1024);
  kernels::correlation_descent<T>({.vectors = pointer<T>(op.vectors),
                                   .first_sharpness = pointer<T>(op.first_sharpness),
                                   .values = pointer<T>(op.values),
                                   .vectors_run_stride = op.vectors.run_stride(),
                                   .first_sharpness_run_stride = op.first_sharpness.run_stride(),
                                   .values_run_stride = op.values.run_stride(),
                                   .classes = op.num_vectors(),
                                   .dim = op.dim(),
                                   .runs = op.runs(),
                                   .is_absolute = op.objective == FrameObjective::kAbsolute,
                                   .growth = static_cast<T>(op.growth),
                                   .last_sharpness = static_cast<T>(op.last_sharpness),
                                   .iterations_per_stage = op.iterations_per_stage},
                                  device.stream());
}

}  // namespace

void execute(DeviceBackend& device, const CorrelationDescent& op) {
  if (op.vectors.dtype() == DType::kF64) return descend<double>(device, op);
  descend<float>(device, op);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
