#pragma once
/// What a device can do at most.

#include "engine/backend.h"

namespace gnc {

/// Rates of a device, bytes and floating-point operations a second.
struct Ceilings {
  double bytes_per_second = 0;
  double flops_per_second = 0;

  /// Seconds that an op cannot go below, by its traffic or by its arithmetic, whichever takes longer.
  double floor_seconds(double flops, double bytes) const;
};

/// Whether ceilings of that backend mean anything: of `cpu` and `cuda`.
bool has_ceilings(const Backend& backend);

/// Measures them, in about a second on `cpu`:
///   - a copy of arrays far larger than the caches, read and written bytes counted; on `cpu` by all threads;
///   - a large matrix product in the backend's precision: the op Gemm (oneDNN, cuBLAS), and for bf16, which
///     Gemm has not, a 1x1 convolution, by cuDNN where `backend` was opened with it.
/// Each is the best of a few: a ceiling is what was reached once. Throws UsageError for other backends.
Ceilings measure_ceilings(Backend& backend);

}  // namespace gnc
