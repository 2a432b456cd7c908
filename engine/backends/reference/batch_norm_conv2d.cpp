#include "engine/ops/batch_norm_conv2d.h"

#include "engine/backends/reference/reference_ops.h"

namespace gnc {

void execute(ReferenceBackend& reference, const BatchNormConv2dBackward& op) {
  execute(reference, convolution_of(op));
  if (op.is_shared()) {
    execute(reference, shared_normalization_of(op));
  } else {
    execute(reference, own_normalization_of(op));
  }
}

}  // namespace gnc
