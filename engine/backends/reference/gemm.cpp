#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {

void execute(ReferenceBackend&, const Gemm& op) {
  const bool flip_a = op.transpose_a == Transpose::kYes, flip_b = op.transpose_b == Transpose::kYes;
  for (int run = 0; run < op.c.runs(); ++run) {
    const LogicalArray a(op.a, run), b(op.b, run);
    LogicalArray c(op.c.shape());
    for (int row = 0; row < op.rows(); ++row)
      for (int column = 0; column < op.columns(); ++column)
        for (int k = 0; k < op.depth(); ++k)
          c(row, column) += (flip_a ? a(k, row) : a(row, k)) * (flip_b ? b(column, k) : b(k, column));
    c.store(op.c, run);
  }
}

}  // namespace gnc
