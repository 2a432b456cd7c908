#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {

void execute(ReferenceBackend&, const SubsampleForward& op) {
  for (int run = 0; run < op.y.runs(); ++run) {
    const LogicalArray x(op.x, run);
    LogicalArray y(op.y.shape());
    for_each_element(op.y.shape(), [&](int n, int c, int i, int j) {
      const int channel = c - op.first_channel;
      if (channel >= 0 && channel < op.x.shape()[1])
        y(n, c, i, j) = x(n, channel, i * op.stride, j * op.stride);
    });
    y.store(op.y, run);
  }
}

void execute(ReferenceBackend&, const SubsampleBackward& op) {
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const LogicalArray y_grad(op.y_grad, run);
    LogicalArray x_grad = op.x_grad_mode == GradientMode::kAccumulate ? LogicalArray(op.x_grad, run)
                                                                      : LogicalArray(op.x_grad.shape());
    for_each_element(op.x_grad.shape(), [&](int n, int c, int h, int w) {
      if (h % op.stride == 0 && w % op.stride == 0)
        x_grad(n, c, h, w) += y_grad(n, c + op.first_channel, h / op.stride, w / op.stride);
    });
    x_grad.store(op.x_grad, run);
  }
}

}  // namespace gnc
