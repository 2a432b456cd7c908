#include "kernels/classification_losses.h"

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

template <class Op>
kernels::ClassificationLossArgs args_of(const Op& op) {
  require_dtype(op.kName, "logits", op.logits, DType::kF32);
  return {.logits = pointer<float>(op.logits),
          .labels = pointer<std::int32_t>(op.labels),
          .losses = pointer<float>(op.losses),
          .logits_grad = pointer<float>(op.logits_grad),
          .predictions = pointer<std::int32_t>(op.predictions),
          .logits_run_stride = op.logits.run_stride(),
          .labels_run_stride = op.labels.run_stride(),
          .losses_run_stride = op.losses.run_stride(),
          .logits_grad_run_stride = op.logits_grad.run_stride(),
          .predictions_run_stride = op.predictions.run_stride(),
          .batch = op.logits.shape()[0],
          .classes = op.logits.shape()[1],
          .runs = op.logits.runs()};
}

}  // namespace

void execute(DeviceBackend& device, const CrossEntropy& op) {
  if (op.label_smoothing == 0)
    kernels::cross_entropy(args_of(op), device.stream());
  else
    kernels::smoothed_cross_entropy(args_of(op), op.label_smoothing, device.stream());
}

void execute(DeviceBackend& device, const SquaredError& op) {
  kernels::squared_error(args_of(op), device.stream());
}

void execute(DeviceBackend& device, const FocalLoss& op) {
  kernels::focal_loss(args_of(op), op.focusing, device.stream());
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
