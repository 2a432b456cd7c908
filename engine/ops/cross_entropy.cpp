#include "engine/ops/cross_entropy.h"

#include "engine/error.h"
#include "engine/ops/loss_operands.h"

namespace gnc {

void CrossEntropy::check() const {
  check_loss_operands(kName, {logits, labels, losses, logits_grad, predictions});
  require<ShapeError>(label_smoothing >= 0 && label_smoothing < 1, "{}: label_smoothing {} is not in [0,1)",
                      kName, label_smoothing);
}

}  // namespace gnc
