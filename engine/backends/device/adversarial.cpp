#include "kernels/adversarial.h"

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

kernels::PictureExtents extents_of(std::string_view op, const ConstTensor& pictures,
                                   const ConstTensor& scale) {
  const Shape& shape = pictures.shape();
  return {.strides = image_strides(op, "x", pictures),
          .normalization_strides = image_strides(op, "scale", scale),
          .batch = shape[0],
          .channels = shape[1],
          .height = shape[2],
          .width = shape[3],
          .runs = pictures.runs()};
}

void require_one_layout(std::string_view op, const ConstTensor& scale, const ConstTensor& offset) {
  require<BackendError>(offset.layout() == scale.layout(), "{}: offset is in layout {} but scale is in {}",
                        op, to_string(offset.layout()), to_string(scale.layout()));
}

}  // namespace

void execute(DeviceBackend& device, const LogOddsGradient& op) {
  require_dtype(op.kName, "logits", op.logits, DType::kF32);
  kernels::log_odds_gradient({.logits = pointer<float>(op.logits),
                              .labels = pointer<std::int32_t>(op.labels),
                              .margins = pointer<float>(op.margins),
                              .logits_grad = pointer<float>(op.logits_grad),
                              .logits_run_stride = op.logits.run_stride(),
                              .labels_run_stride = op.labels.run_stride(),
                              .margins_run_stride = op.margins.run_stride(),
                              .logits_grad_run_stride = op.logits_grad.run_stride(),
                              .batch = op.logits.shape()[0],
                              .classes = op.logits.shape()[1],
                              .runs = op.logits.runs()},
                             device.stream());
}

void execute(DeviceBackend& device, const ProjectedStep& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  require_one_layout(op.kName, op.scale, op.offset);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::projected_step<T>({.clean = pointer<float>(op.clean),
                                .direction = pointer<T>(op.direction),
                                .scale = pointer<float>(op.scale),
                                .offset = pointer<float>(op.offset),
                                .pictures = pointer<float>(op.pictures),
                                .x = pointer<T>(op.x),
                                .clean_run_stride = op.clean.run_stride(),
                                .direction_run_stride = op.direction.run_stride(),
                                .pictures_run_stride = op.pictures.run_stride(),
                                .x_run_stride = op.x.run_stride(),
                                .extents = extents_of(op.kName, op.x, op.scale),
                                .size = op.size,
                                .radius = op.radius,
                                .kind = op.kind == StepDirection::kSign ? kernels::StepDirection::kSign
                                                                        : kernels::StepDirection::kAsItIs},
                               device.stream());
  });
}

void execute(DeviceBackend& device, const NearestBoundary& op) {
  require_dtype(op.kName, "logits", op.logits, DType::kF32);
  with_image_type(op.kName, op.gradient, [&](auto zero) {
    using T = decltype(zero);
    kernels::nearest_boundary<T>({.logits = pointer<float>(op.logits),
                                  .difference = pointer<float>(op.difference),
                                  .gradient = pointer<T>(op.gradient),
                                  .scale = pointer<float>(op.scale),
                                  .distances = pointer<float>(op.distances),
                                  .steps = pointer<float>(op.steps),
                                  .logits_run_stride = op.logits.run_stride(),
                                  .difference_run_stride = op.difference.run_stride(),
                                  .gradient_run_stride = op.gradient.run_stride(),
                                  .distances_run_stride = op.distances.run_stride(),
                                  .steps_run_stride = op.steps.run_stride(),
                                  .extents = extents_of(op.kName, op.gradient, op.scale),
                                  .classes = op.logits.shape()[1],
                                  .is_first = op.candidate == Candidate::kFirst},
                                 device.stream());
  });
}

void execute(DeviceBackend& device, const BoundaryStep& op) {
  require_dtype(op.kName, "scale", op.scale, DType::kF32);
  require_one_layout(op.kName, op.scale, op.offset);
  with_image_type(op.kName, op.x, [&](auto zero) {
    using T = decltype(zero);
    kernels::boundary_step<T>({.clean = pointer<float>(op.clean),
                               .steps = pointer<float>(op.steps),
                               .scale = pointer<float>(op.scale),
                               .offset = pointer<float>(op.offset),
                               .predictions = pointer<std::int32_t>(op.predictions),
                               .classes = pointer<std::int32_t>(op.classes),
                               .perturbation = pointer<float>(op.perturbation),
                               .norms = pointer<float>(op.norms),
                               .x = pointer<T>(op.x),
                               .clean_run_stride = op.clean.run_stride(),
                               .steps_run_stride = op.steps.run_stride(),
                               .predictions_run_stride = op.predictions.run_stride(),
                               .classes_run_stride = op.classes.run_stride(),
                               .perturbation_run_stride = op.perturbation.run_stride(),
                               .norms_run_stride = op.norms.run_stride(),
                               .x_run_stride = op.x.run_stride(),
                               .extents = extents_of(op.kName, op.x, op.scale),
                               .beyond = 1 + op.overshoot},
                              device.stream());
  });
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
