#pragma once
/// Matrix product in double, for the unconstrained feature model; whatever is fp32 goes to kernels/gemm.h.

#include <cstdint>

#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Element (i, j) of run r lies at data[r·run_stride + i·row_step + j·column_step]: transposed or not.
struct UfmFactor {
  const double* data;
  std::int64_t run_stride;
  std::int64_t row_step;
  std::int64_t column_step;
};

struct UfmProductArgs {
  UfmFactor a;  ///< [rows,depth]
  UfmFactor b;  ///< [depth,columns]
  double* c;    ///< [rows,columns], overwritten; overlaps neither
  std::int64_t c_run_stride;
  int rows, columns, depth;
  int runs;  ///< at most 65535
};

/// c = a·b. Queues one kernel; throws LaunchError (kernels/simt.h).
void ufm_product(const UfmProductArgs& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
