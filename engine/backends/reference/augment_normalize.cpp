#include "engine/ops/augment_normalize.h"

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {

void execute(ReferenceBackend&, const AugmentNormalize& op) {
  const int height = op.y.shape()[2], width = op.y.shape()[3];
  for (int run = 0; run < op.y.runs(); ++run) {
    const LogicalArray scale(op.scale, run), offset(op.offset, run);
    const auto* pixels = op.pixels.data<std::uint8_t>(run);
    const auto* indices = op.indices.data<std::int32_t>(run);
    const auto* flips = op.flips.data<std::uint8_t>(run);
    const auto* shifts = op.shifts.data<std::int32_t>(run);
    LogicalArray y(op.y.shape());
    for_each_element(op.y.shape(), [&](int b, int c, int h, int w) {
      const int row = h + shifts[2 * b];
      const int column = (flips[b] != 0 ? width - 1 - w : w) + shifts[2 * b + 1];
      const bool is_inside = row >= 0 && row < height && column >= 0 && column < width;
      const double pixel = is_inside ? pixels[op.pixels.offset(indices[b], c, row, column)] / 255.0 : 0.0;
      y(b, c, h, w) = pixel * scale(0, c, h, w) + offset(0, c, h, w);
    });
    y.store(op.y, run);
  }
}

}  // namespace gnc
