#include "engine/ops/gaussian_channel.h"

#include "engine/ops/op.h"

namespace gnc {

void GaussianChannel::check() const {
  check_operands(kName, rates.runs(),
                 {{"codewords", codewords}, {"sigmas", sigmas}, {"proposals", proposals}, {"rates", rates}});
  require<ShapeError>(num_classes() >= 2 && dim() >= 1, "{}: codewords {} must be two or more", kName,
                      codewords.to_string());
  require<ShapeError>(samples >= 1, "{}: {} samples, but at least 1 is needed", kName, samples);
  check_shape(kName, {"codewords", codewords}, {num_classes(), dim()});
  check_shape(kName, {"sigmas", sigmas}, {num_sigmas()});
  check_shape(kName, {"proposals", proposals}, {num_sigmas(), num_classes(), num_classes()});
  check_shape(kName, {"rates", rates}, {num_sigmas(), num_classes()});
  check_wide_dtype(kName, {"codewords", codewords});
  check_dtype(kName, {"sigmas", sigmas}, codewords.dtype());
  check_dtype(kName, {"proposals", proposals}, codewords.dtype());
  check_dtype(kName, {"rates", rates}, codewords.dtype());
  check_written(kName, {"rates", rates});
}

}  // namespace gnc
