#include <cmath>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {
namespace {

/// ‖x[n]‖.
double norm_of(const LogicalArray& x, int n, int dim) {
  double sum = 0;
  for (int i = 0; i < dim; ++i) sum += x(n, i) * x(n, i);
  return std::sqrt(sum);
}

/// norm/‖x[n]‖; NaN for a row that has no finite norm.
double scale_of(double norm, double row_norm) { return std::isfinite(row_norm) ? norm / row_norm : NAN; }

}  // namespace

void execute(ReferenceBackend&, const NormalizeRowsForward& op) {
  const int rows = op.x.shape()[0], dim = op.x.shape()[1];
  for (int run = 0; run < op.y.runs(); ++run) {
    const LogicalArray x(op.x, run);
    LogicalArray y(op.y.shape());
    for (int n = 0; n < rows; ++n) {
      const double row_norm = norm_of(x, n, dim);
      if (row_norm <= kZeroRowNorm) continue;
      for (int i = 0; i < dim; ++i) y(n, i) = x(n, i) * scale_of(op.norm, row_norm);
    }
    y.store(op.y, run);
  }
}

void execute(ReferenceBackend&, const NormalizeRowsBackward& op) {
  const int rows = op.x.shape()[0], dim = op.x.shape()[1];
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const LogicalArray x(op.x, run), y_grad(op.y_grad, run);
    LogicalArray x_grad(op.x.shape());
    for (int n = 0; n < rows; ++n) {
      const double row_norm = norm_of(x, n, dim);
      if (row_norm <= kZeroRowNorm) continue;
      double radial = 0;
      for (int i = 0; i < dim; ++i) radial += x(n, i) / row_norm * y_grad(n, i);
      for (int i = 0; i < dim; ++i)
        x_grad(n, i) = scale_of(op.norm, row_norm) * (y_grad(n, i) - x(n, i) / row_norm * radial);
    }
    x_grad.store(op.x_grad, run);
  }
}

}  // namespace gnc
