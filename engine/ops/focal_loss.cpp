#include "engine/ops/focal_loss.h"

#include "engine/error.h"
#include "engine/ops/loss_operands.h"

namespace gnc {

void FocalLoss::check() const {
  check_loss_operands(kName, {logits, labels, losses, logits_grad, predictions});
  require<ShapeError>(focusing >= 0 && focusing <= 100, "{}: focusing {} is not in [0,100]", kName, focusing);
}

}  // namespace gnc
