#include "kernels/augment_normalize.h"

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {

void execute(DeviceBackend& device, const AugmentNormalize& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  const kernels::ImageStrides normalization = image_strides(op.kName, "scale", op.scale);
  require<BackendError>(op.offset.layout() == op.scale.layout(),
                        "{}: offset is in layout {} but scale is in {}", op.kName,
                        to_string(op.offset.layout()), to_string(op.scale.layout()));
  with_image_type(op.kName, op.y, [&](auto zero) {
    using T = decltype(zero);
    const Shape& shape = op.y.shape();
    kernels::augment_normalize<T>({.pixels = pointer<std::uint8_t>(op.pixels),
                                   .indices = pointer<std::int32_t>(op.indices),
                                   .flips = pointer<std::uint8_t>(op.flips),
                                   .shifts = pointer<std::int32_t>(op.shifts),
                                   .scale = pointer<float>(op.scale),
                                   .offset = pointer<float>(op.offset),
                                   .y = pointer<T>(op.y),
                                   .pixels_strides = image_strides(op.kName, "pixels", op.pixels),
                                   .normalization_strides = normalization,
                                   .y_strides = image_strides(op.kName, "y", op.y),
                                   .indices_run_stride = op.indices.run_stride(),
                                   .flips_run_stride = op.flips.run_stride(),
                                   .shifts_run_stride = op.shifts.run_stride(),
                                   .y_run_stride = op.y.run_stride(),
                                   .batch = shape[0],
                                   .channels = shape[1],
                                   .height = shape[2],
                                   .width = shape[3],
                                   .runs = op.y.runs()},
                                  device.stream());
  });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
