#include "engine/ops/batch_norm_conv2d.h"

#include "engine/ops/batch_norm_check.h"
#include "engine/ops/conv2d_check.h"
#include "engine/ops/op.h"

namespace gnc {

Conv2dBackwardInput convolution_of(const BatchNormConv2dBackward& op) {
  return {.geometry = op.geometry,
          .weights = op.weights,
          .y_grad = op.y_grad,
          .x_grad = op.is_shared() ? op.between : op.x_grad};
}

BatchNormSharedBackward shared_normalization_of(const BatchNormConv2dBackward& op) {
  return {.x = op.x,
          .scale = op.scale,
          .shift = op.shift,
          .mean = op.mean,
          .invstd = op.invstd,
          .y_grad = op.between,
          .x_grad = op.x_grad,
          .scale_grad = op.scale_grad,
          .shift_grad = op.shift_grad,
          .deferred_mean = op.deferred_mean,
          .deferred_tilt = op.deferred_tilt,
          .activation = op.activation,
          .deferred_mode = op.deferred_mode};
}

BatchNormBackward own_normalization_of(const BatchNormConv2dBackward& op) {
  return {.x = op.x,
          .scale = op.scale,
          .shift = op.shift,
          .mean = op.mean,
          .invstd = op.invstd,
          .y_grad = op.x_grad,
          .x_grad = op.x_grad,
          .scale_grad = op.scale_grad,
          .shift_grad = op.shift_grad,
          .activation = op.activation};
}

void BatchNormConv2dBackward::check() const {
  require<ShapeError>(
      is_shared() == static_cast<bool>(deferred_tilt) && is_shared() == static_cast<bool>(between),
      "{}: of between, deferred_mean and deferred_tilt some are missing", kName);
  const Operand room = is_shared() ? Operand{"between", between} : Operand{"x_grad", x_grad};
  check_convolution(kName, geometry, room, {"weights", weights}, room.tensor.dtype(), {"bias", {}},
                    {"y_grad", y_grad});
  const Operand of_x{"x_grad", x_grad, is_shared() ? Slices::kTaken : Slices::kRefused};
  const std::initializer_list<Operand> written = {{"scale_grad", scale_grad}, {"shift_grad", shift_grad}};
  check_batch_norm(kName, {{"x", x, Slices::kTaken}, room, of_x},
                   {{"scale", scale},
                    {"shift", shift},
                    {"mean", mean},
                    {"invstd", invstd},
                    {"scale_grad", scale_grad},
                    {"shift_grad", shift_grad}});
  for (const Operand& operand : written) check_written(kName, operand);
  check_written(kName, room);
  check_written(kName, of_x);
  if (is_shared()) {
    const std::initializer_list<Operand> terms = {{"deferred_mean", deferred_mean},
                                                  {"deferred_tilt", deferred_tilt}};
    check_batch_norm(kName, {{"x", x, Slices::kTaken}}, terms);
    for (const Operand& operand : terms) check_written(kName, operand);
  }
  // Written while others still read.
  for (const Operand& read : {Operand{"x", x}, Operand{"y_grad", y_grad}}) {
    require<ShapeError>(read.tensor.raw() != room.tensor.raw(), "{}: {} must not be {}", kName, room.name,
                        read.name);
    require<ShapeError>(read.tensor.raw() != x_grad.raw(), "{}: x_grad must not be {}", kName, read.name);
  }
  require<ShapeError>(!is_shared() || between.raw() != x_grad.raw(),
                      "{}: x_grad must not be between, it is added to", kName);
}

}  // namespace gnc
