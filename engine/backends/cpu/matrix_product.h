#pragma once
/// Matrix products that give the same bits on any number of threads.

#include <cstdint>
#include <string_view>

#include "engine/ops/gemm.h"

namespace gnc::cpu {

/// A row-major matrix, or a part of one: rows lie `stride` elements apart.
struct MatrixView {
  const float* data;
  std::int64_t stride;
  Transpose transpose;
};

/// c [rows,columns] = op(a)·op(b), or c += op(a)·op(b).
struct MatrixProduct {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t depth;
  MatrixView a;
  MatrixView b;
  float* c;
  std::int64_t c_stride;
  bool accumulates = false;
};

/// Computes it by oneDNN; inside a task of parallel_tasks(), for with several threads oneDNN may split the
/// sum. Throws BackendError naming the op.
void multiply(std::string_view op, const MatrixProduct& product);

}  // namespace gnc::cpu
