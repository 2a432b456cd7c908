#include "engine/ops/gaussian_channel.h"

#include "engine/ops/op.h"

namespace gnc {

void GaussianChannel::check() const {
  check_operands(kName, errors.runs(), {{"codewords", codewords}, {"sigmas", sigmas}, {"errors", errors}});
  require<ShapeError>(num_classes() >= 2 && dim() >= 1, "{}: codewords {} must be two or more", kName,
                      codewords.to_string());
  require<ShapeError>(samples >= 1, "{}: {} samples, but at least 1 is needed", kName, samples);
  check_shape(kName, {"codewords", codewords}, {num_classes(), dim()});
  check_shape(kName, {"sigmas", sigmas}, {num_sigmas()});
  check_shape(kName, {"errors", errors}, {num_sigmas(), num_classes()});
  check_wide_dtype(kName, {"codewords", codewords});
  check_dtype(kName, {"sigmas", sigmas}, codewords.dtype());
  check_dtype(kName, {"errors", errors}, DType::kI32);
  check_written(kName, {"errors", errors});
}

}  // namespace gnc
