#include "engine/ops/batch_norm_conv2d.h"

#include "engine/ops/op.h"

namespace gnc {

void BatchNormConv2dBackward::check() const {
  require_dense(kName, {"between", between});
  convolution_of(*this).check();
  normalization_of(*this).check();
}

}  // namespace gnc
