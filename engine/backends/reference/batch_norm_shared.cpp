#include "engine/ops/batch_norm_shared.h"

#include <cmath>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {
namespace {

/// Elements that one channel's statistics are taken over: N·H·W.
double elements_per_channel(const Shape& shape) {
  return static_cast<double>(shape.elements()) / static_cast<double>(shape[1]);
}

}  // namespace

void execute(ReferenceBackend&, const BatchNormStatistics& op) {
  const Shape& shape = op.x.shape();
  const double count = elements_per_channel(shape);
  for (int run = 0; run < op.mean.runs(); ++run) {
    const LogicalArray x(op.x, run);
    LogicalArray mean(op.mean.shape()), variance(op.mean.shape()), invstd(op.mean.shape());
    for_each_element(shape, [&](int n, int c, int h, int w) { mean(c) += x(n, c, h, w) / count; });
    for_each_element(shape, [&](int n, int c, int h, int w) {
      const double deviation = x(n, c, h, w) - mean(c);
      variance(c) += deviation * deviation / count;
    });
    for (int c = 0; c < shape[1]; ++c) invstd(c) = 1.0 / std::sqrt(variance(c) + double{op.epsilon});
    mean.store(op.mean, run);
    variance.store(op.variance, run);
    invstd.store(op.invstd, run);
  }
}

void execute(ReferenceBackend&, const BatchNormSharedBackward& op) {
  const Shape& shape = op.x.shape();
  const double count = elements_per_channel(shape);
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const LogicalArray x(op.x, run), scale(op.scale, run), shift(op.shift, run), y_grad(op.y_grad, run);
    const LogicalArray mean(op.mean, run), invstd(op.invstd, run);
    LogicalArray x_grad(op.x_grad, run);
    LogicalArray scale_grad(op.scale_grad.shape()), shift_grad(op.shift_grad.shape());
    for_each_element(shape, [&](int n, int c, int h, int w) {
      const double normalized = (x(n, c, h, w) - mean(c)) * invstd(c);
      if (op.activation == Activation::kRelu && !(scale(c) * normalized + shift(c) > 0)) return;
      const double gradient = y_grad(n, c, h, w);
      shift_grad(c) += gradient;
      scale_grad(c) += gradient * normalized;
      x_grad(n, c, h, w) += scale(c) * invstd(c) * gradient;
    });
    const bool is_added = op.deferred_mode == GradientMode::kAccumulate;
    LogicalArray mean_term = is_added ? LogicalArray(op.deferred_mean, run) : LogicalArray(op.mean.shape());
    LogicalArray tilt_term = is_added ? LogicalArray(op.deferred_tilt, run) : LogicalArray(op.mean.shape());
    for (int c = 0; c < shape[1]; ++c) {
      mean_term(c) += scale(c) * invstd(c) * shift_grad(c) / count;
      tilt_term(c) += scale(c) * invstd(c) * invstd(c) * scale_grad(c) / count;
    }
    x_grad.store(op.x_grad, run);
    scale_grad.store(op.scale_grad, run);
    shift_grad.store(op.shift_grad, run);
    mean_term.store(op.deferred_mean, run);
    tilt_term.store(op.deferred_tilt, run);
  }
}

void execute(ReferenceBackend&, const BatchNormSharedFinish& op) {
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const LogicalArray x(op.x, run), mean(op.mean, run);
    const LogicalArray mean_term(op.deferred_mean, run), tilt_term(op.deferred_tilt, run);
    LogicalArray x_grad(op.x_grad, run);
    for_each_element(op.x.shape(), [&](int n, int c, int h, int w) {
      x_grad(n, c, h, w) -= mean_term(c) + (x(n, c, h, w) - mean(c)) * tilt_term(c);
    });
    x_grad.store(op.x_grad, run);
  }
}

}  // namespace gnc
