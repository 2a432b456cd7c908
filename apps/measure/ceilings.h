#pragma once
/// What a device can do at most.

#include <string>
#include <string_view>

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
bool has_ceilings(std::string_view device);

/// Measures them, in about a second on `cpu`:
///   - a copy of arrays far larger than the caches, read and written bytes counted; on `cpu` by all threads;
///   - a large matrix product in that precision by a library: oneDNN or cuBLAS, and for bf16, which the op
///     Gemm has not, a 1x1 convolution of cuDNN.
/// Each is the best of 20 tries or more, on `cpu` spread over 0.3 s at least, so that they do not all fall
/// into a slice of time that the machine gives to other work: a ceiling is what was reached once. It opens a
/// backend of its own, as the one that is measured against it may run gnc's kernels. Throws UsageError for
/// other devices, BackendError where the device or the library is not there: gnc's own kernels give no
/// ceiling.
Ceilings measure_ceilings(const std::string& device, Precision precision);

}  // namespace gnc
