#pragma once
/// Rows scaled to one norm, and the gradient of that.

#include <cstdint>

#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Run r of an operand starts r times its run stride (in elements) after its pointer.
struct NormalizeRowsArgs {
  const float* x;       ///< [rows,dim]
  const float* y_grad;  ///< [rows,dim]; null: forward
  float* result;        ///< [rows,dim]: y, or x_grad; may be x (forward) or y_grad
  std::int64_t x_run_stride;
  std::int64_t y_grad_run_stride;
  std::int64_t result_run_stride;
  int rows;
  int dim;
  int runs;  ///< at most 65535
  float norm;
  float zero_norm;  ///< rows of at most this norm are zero, and so is what becomes of them
};

/// Forward: result = norm·x/‖x‖ of every row. Queues one kernel; throws LaunchError (kernels/simt.h).
void normalize_rows_forward(const NormalizeRowsArgs& args, Stream stream);

/// Backward: result = norm/‖x‖·(y_grad − u⟨u,y_grad⟩), u = x/‖x‖. Likewise.
void normalize_rows_backward(const NormalizeRowsArgs& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
