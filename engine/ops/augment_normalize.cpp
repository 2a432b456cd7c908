#include "engine/ops/augment_normalize.h"

#include "engine/ops/op.h"

namespace gnc {

void AugmentNormalize::check() const {
  check_operands(kName, y.runs(),
                 {{"pixels", pixels},
                  {"indices", indices},
                  {"flips", flips},
                  {"shifts", shifts},
                  {"scale", scale},
                  {"offset", offset},
                  {"y", y}});
  const Shape& image = pixels.shape();
  const int batch = y.shape()[0];
  check_shape(kName, {"y", y}, {batch, image[1], image[2], image[3]});
  check_shape(kName, {"indices", indices}, {batch});
  check_shape(kName, {"flips", flips}, {batch});
  check_shape(kName, {"shifts", shifts}, {batch, 2});
  check_shape(kName, {"scale", scale}, {1, image[1], image[2], image[3]});
  check_shape(kName, {"offset", offset}, {1, image[1], image[2], image[3]});
  check_dtype(kName, {"pixels", pixels}, DType::kU8);
  check_dtype(kName, {"indices", indices}, DType::kI32);
  check_dtype(kName, {"flips", flips}, DType::kU8);
  check_dtype(kName, {"shifts", shifts}, DType::kI32);
  check_image_dtype(kName, {"y", y});
  check_dtype(kName, {"scale", scale}, dtype_beside(y.dtype()));
  check_dtype(kName, {"offset", offset}, dtype_beside(y.dtype()));
  check_written(kName, {"y", y});
}

}  // namespace gnc
