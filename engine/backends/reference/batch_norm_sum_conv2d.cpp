#include "engine/ops/batch_norm_sum_conv2d.h"

#include "engine/backends/reference/reference_ops.h"

namespace gnc {

void execute(ReferenceBackend& reference, const BatchNormSumConv2dBackward& op) {
  execute(reference, convolution_of(op));
  if (!op.is_onto_others()) execute(reference, others_of(op));
  execute(reference, normalization_of(op));
}

}  // namespace gnc
