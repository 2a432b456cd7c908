#include "engine/ops/batch_norm_pool.h"

#include "engine/backends/reference/reference_ops.h"

// By definition: the two ops one after the other, with the images between them in memory.

namespace gnc {
namespace {

constexpr Conv2dGeometry kWindow{.kernel = 2, .stride = 2, .padding = 0};

}  // namespace

void execute(ReferenceBackend& reference, const BatchNormMaxPoolForward& op) {
  const DeviceTensor normalized(reference.memory(), op.x.spec());
  execute(reference, BatchNormForward{.x = op.x,
                                      .scale = op.scale,
                                      .shift = op.shift,
                                      .running_mean = op.running_mean,
                                      .running_variance = op.running_variance,
                                      .mean = op.mean,
                                      .invstd = op.invstd,
                                      .variance = op.variance,
                                      .y = normalized.view(),
                                      .epsilon = op.epsilon,
                                      .momentum = op.momentum,
                                      .activation = op.activation});
  execute(reference,
          MaxPoolForward{.geometry = kWindow, .x = normalized.view(), .y = op.y, .winner = op.winner});
}

void execute(ReferenceBackend& reference, const BatchNormMaxPoolBackward& op) {
  const DeviceTensor gradient(reference.memory(), op.x_grad.spec());
  execute(reference,
          MaxPoolBackward{
              .geometry = kWindow, .y_grad = op.y_grad, .winner = op.winner, .x_grad = gradient.view()});
  execute(reference, BatchNormBackward{.x = op.x,
                                       .scale = op.scale,
                                       .shift = op.shift,
                                       .mean = op.mean,
                                       .invstd = op.invstd,
                                       .y_grad = gradient.view(),
                                       .x_grad = op.x_grad,
                                       .scale_grad = op.scale_grad,
                                       .shift_grad = op.shift_grad,
                                       .activation = op.activation});
}

}  // namespace gnc
