#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {
namespace {

/// Calls `visit(n, o, i, j, c, k, l, h, w)` for every product of the convolution: weight (o,c,k,l) meets
/// pixel (n,c,h,w) in output (n,o,i,j). The forward pass and both gradients are three ways to sum over the
/// same products. Taps that fall on the padding are left out, as they would add zero.
template <class Visit>
void for_each_product(const Conv2dGeometry& geometry, const Shape& x, const Shape& y, Visit visit) {
  for (int n = 0; n < y[0]; ++n)
    for (int o = 0; o < y[1]; ++o)
      for (int c = 0; c < x[1]; ++c)
        for (int k = 0; k < geometry.kernel; ++k)
          for (int l = 0; l < geometry.kernel; ++l)
            for (int i = 0; i < y[2]; ++i) {
              const int h = i * geometry.stride + k - geometry.padding;
              if (h < 0 || h >= x[2]) continue;
              for (int j = 0; j < y[3]; ++j) {
                const int w = j * geometry.stride + l - geometry.padding;
                if (w < 0 || w >= x[3]) continue;
                visit(n, o, i, j, c, k, l, h, w);
              }
            }
}

}  // namespace

void execute(ReferenceBackend& reference, const Conv2dForward& op) {
  for (int run = 0; run < op.y.runs(); ++run) {
    const LogicalArray x(op.x, run), weights(op.weights, run);
    LogicalArray y(op.y.shape());
    if (op.bias) {
      const LogicalArray bias(op.bias, run);
      for_each_element(op.y.shape(), [&](int n, int o, int i, int j) { y(n, o, i, j) = bias(o); });
    }
    for_each_product(op.geometry, op.x.shape(), op.y.shape(),
                     [&](int n, int o, int i, int j, int c, int k, int l, int h, int w) {
                       y(n, o, i, j) += weights(o, c, k, l) * x(n, c, h, w);
                     });
    y.store(op.y, run);
  }
  if (op.mean) execute(reference, statistics_of(op));
}

void execute(ReferenceBackend&, const Conv2dBackwardInput& op) {
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const LogicalArray y_grad(op.y_grad, run), weights(op.weights, run);
    LogicalArray x_grad = op.x_grad_mode == GradientMode::kAccumulate ? LogicalArray(op.x_grad, run)
                                                                      : LogicalArray(op.x_grad.shape());
    for_each_product(op.geometry, op.x_grad.shape(), op.y_grad.shape(),
                     [&](int n, int o, int i, int j, int c, int k, int l, int h, int w) {
                       x_grad(n, c, h, w) += weights(o, c, k, l) * y_grad(n, o, i, j);
                     });
    x_grad.store(op.x_grad, run);
  }
}

void execute(ReferenceBackend&, const Conv2dBackwardWeights& op) {
  for (int run = 0; run < op.weights_grad.runs(); ++run) {
    const LogicalArray x(op.x, run), y_grad(op.y_grad, run);
    LogicalArray weights_grad(op.weights_grad.shape());
    for_each_product(op.geometry, op.x.shape(), op.y_grad.shape(),
                     [&](int n, int o, int i, int j, int c, int k, int l, int h, int w) {
                       weights_grad(o, c, k, l) += x(n, c, h, w) * y_grad(n, o, i, j);
                     });
    weights_grad.store(op.weights_grad, run);
    if (!op.bias_grad) continue;
    LogicalArray bias_grad(op.bias_grad.shape());
    for_each_element(op.y_grad.shape(),
                     [&](int n, int o, int i, int j) { bias_grad(o) += y_grad(n, o, i, j); });
    bias_grad.store(op.bias_grad, run);
  }
}

}  // namespace gnc
