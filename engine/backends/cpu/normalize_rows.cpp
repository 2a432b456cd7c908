#include "engine/ops/normalize_rows.h"

#include <cmath>
#include <cstdint>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::parallel_for;
using cpu::require_fp32;

double norm_of(const float* row, int dim) {
  double sum = 0;
  for (int i = 0; i < dim; ++i) sum += double{row[i]} * double{row[i]};
  return std::sqrt(sum);
}

/// norm/‖row‖: 0 for a row that counts as zero, NaN for one that has no finite norm.
double scale_of(double norm, double row_norm) {
  if (row_norm <= kZeroRowNorm) return 0;
  return std::isfinite(row_norm) ? norm / row_norm : NAN;
}

}  // namespace

void execute(CpuBackend& cpu, const NormalizeRowsForward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"x", op.x}});
  const int rows = op.x.shape()[0], dim = op.x.shape()[1];
  for (int run = 0; run < op.y.runs(); ++run) {
    const float* all = op.x.data<float>(run);
    float* results = op.y.data<float>(run);
    parallel_for(rows, std::int64_t{2} * rows * dim, [&](std::int64_t n) {
      const float* x = all + n * dim;
      float* y = results + n * dim;
      const double scale = scale_of(op.norm, norm_of(x, dim));
      for (int i = 0; i < dim; ++i) y[i] = static_cast<float>(scale * double{x[i]});
    });
  }
}

void execute(CpuBackend& cpu, const NormalizeRowsBackward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"x", op.x}});
  const int rows = op.x.shape()[0], dim = op.x.shape()[1];
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const float *all = op.x.data<float>(run), *gradients = op.y_grad.data<float>(run);
    float* results = op.x_grad.data<float>(run);
    parallel_for(rows, std::int64_t{3} * rows * dim, [&](std::int64_t n) {
      const float *x = all + n * dim, *y_grad = gradients + n * dim;
      float* x_grad = results + n * dim;
      const double row_norm = norm_of(x, dim), scale = scale_of(op.norm, row_norm);
      double radial = 0;
      for (int i = 0; i < dim; ++i) radial += double{x[i]} * double{y_grad[i]};
      radial = scale == 0 ? 0 : radial / (row_norm * row_norm);
      for (int i = 0; i < dim; ++i)
        x_grad[i] = static_cast<float>(scale * (double{y_grad[i]} - double{x[i]} * radial));
    });
  }
}

}  // namespace gnc
