#include "engine/ops/batch_norm_sum_conv2d.h"

#include "engine/ops/batch_norm_check.h"
#include "engine/ops/conv2d_check.h"
#include "engine/ops/op.h"
#include "engine/ops/subsample_check.h"

namespace gnc {

Conv2dBackwardInput convolution_of(const BatchNormSumConv2dBackward& op) {
  return {.geometry = op.geometry,
          .weights = op.weights,
          .y_grad = op.y_grad,
          .x_grad = op.addend_grad,
          .x_grad_mode = op.is_onto_others() ? GradientMode::kAccumulate : GradientMode::kOverwrite};
}

SubsampleBackward others_of(const BatchNormSumConv2dBackward& op) {
  return {.stride = op.others_stride,
          .first_channel = op.others_first_channel,
          .y_grad = op.others_grad,
          .x_grad = op.addend_grad,
          .x_grad_mode = GradientMode::kAccumulate};
}

BatchNormBackward normalization_of(const BatchNormSumConv2dBackward& op) {
  return {.x = op.x,
          .scale = op.scale,
          .shift = op.shift,
          .mean = op.mean,
          .invstd = op.invstd,
          .y = op.z,
          .y_grad = op.addend_grad,
          .x_grad = op.x_grad,
          .addend_grad = op.addend_grad,
          .scale_grad = op.scale_grad,
          .shift_grad = op.shift_grad,
          .activation = Activation::kRelu};
}

void BatchNormSumConv2dBackward::check() const {
  check_convolution(kName, geometry, {"addend_grad", addend_grad}, {"weights", weights}, addend_grad.dtype(),
                    {"bias", {}}, {"y_grad", y_grad});
  check_batch_norm(kName,
                   {{"x", x, Slices::kTaken}, {"z", z}, {"addend_grad", addend_grad}, {"x_grad", x_grad}},
                   {{"scale", scale},
                    {"shift", shift},
                    {"mean", mean},
                    {"invstd", invstd},
                    {"scale_grad", scale_grad},
                    {"shift_grad", shift_grad}});
  for (const Operand& written : {Operand{"addend_grad", addend_grad}, Operand{"x_grad", x_grad},
                                 Operand{"scale_grad", scale_grad}, Operand{"shift_grad", shift_grad}})
    check_written(kName, written);
  check_sampled(kName, {others_stride, others_first_channel}, {"addend_grad", addend_grad},
                {"others_grad", others_grad});
  require<ShapeError>(!is_onto_others() || (others_stride == 1 && others_grad.shape() == addend_grad.shape()),
                      "{}: addend_grad must not be others_grad, which has not all of its pixels and channels",
                      kName);
  // Written while others still read.
  for (const Operand& read : {Operand{"x", x}, Operand{"z", z}, Operand{"y_grad", y_grad}})
    require<ShapeError>(read.tensor.raw() != addend_grad.raw(), "{}: addend_grad must not be {}", kName,
                        read.name);
  for (const Operand& read :
       {Operand{"x", x}, Operand{"addend_grad", addend_grad}, Operand{"others_grad", others_grad}})
    require<ShapeError>(read.tensor.raw() != x_grad.raw(), "{}: x_grad must not be {}", kName, read.name);
}

}  // namespace gnc
