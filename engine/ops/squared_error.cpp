#include "engine/ops/squared_error.h"

#include "engine/ops/loss_operands.h"

namespace gnc {

void SquaredError::check() const {
  check_loss_operands(kName, {logits, labels, losses, logits_grad, predictions});
}

}  // namespace gnc
