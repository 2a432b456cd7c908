#include "engine/ops/batch_norm_shared.h"

#include "engine/ops/batch_norm_check.h"

namespace gnc {

void BatchNormStatistics::check() const {
  check_batch_norm(kName, {{"x", x, Slices::kTaken}},
                   {{"mean", mean}, {"variance", variance}, {"invstd", invstd}});
  for (const Operand& written :
       {Operand{"mean", mean}, Operand{"variance", variance}, Operand{"invstd", invstd}})
    check_written(kName, written);
}

void BatchNormSharedBackward::check() const {
  check_batch_norm(kName, {{"x", x, Slices::kTaken}, {"y_grad", y_grad}, {"x_grad", x_grad, Slices::kTaken}},
                   {{"scale", scale},
                    {"shift", shift},
                    {"mean", mean},
                    {"invstd", invstd},
                    {"scale_grad", scale_grad},
                    {"shift_grad", shift_grad},
                    {"deferred_mean", deferred_mean},
                    {"deferred_tilt", deferred_tilt}});
  for (const Operand& written :
       {Operand{"x_grad", x_grad}, Operand{"scale_grad", scale_grad}, Operand{"shift_grad", shift_grad},
        Operand{"deferred_mean", deferred_mean}, Operand{"deferred_tilt", deferred_tilt}})
    check_written(kName, written);
  require<ShapeError>(x_grad.raw() != y_grad.raw(), "{}: x_grad must not be y_grad, it is added to", kName);
}

void BatchNormSharedFinish::check() const {
  check_batch_norm(kName, {{"x", x, Slices::kTaken}, {"x_grad", x_grad, Slices::kTaken}},
                   {{"mean", mean}, {"deferred_mean", deferred_mean}, {"deferred_tilt", deferred_tilt}});
  check_written(kName, {"x_grad", x_grad});
}

}  // namespace gnc
