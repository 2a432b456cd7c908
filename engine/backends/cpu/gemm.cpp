#include "engine/ops/gemm.h"

#include <dnnl.hpp>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/matrix_product.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::Chunks;
using cpu::MatrixProduct;
using cpu::MatrixView;
using cpu::multiply;
using cpu::parallel_tasks;
using cpu::require_fp32;

/// Extents of the blocks of c that are computed each by one thread. Smaller ones cost speed (by 7 % at 64x128
/// of 512x512 with depth 1024), larger ones leave threads idle.
constexpr std::int64_t kBlockRows = 128;
constexpr std::int64_t kBlockColumns = 512;

char letter(Transpose transpose) { return transpose == Transpose::kYes ? 'T' : 'N'; }

}  // namespace

void cpu::multiply(std::string_view op, const MatrixProduct& product) {
  const MatrixView &a = product.a, &b = product.b;
  const dnnl::status status = dnnl::sgemm(
      letter(a.transpose), letter(b.transpose), product.rows, product.columns, product.depth, 1.0F, a.data,
      a.stride, b.data, b.stride, product.accumulates ? 1.0F : 0.0F, product.c, product.c_stride);
  require<BackendError>(status == dnnl::status::success, "{}: oneDNN status {} for a product [{},{}]·[{},{}]",
                        op, static_cast<int>(status), product.rows, product.depth, product.depth,
                        product.columns);
}

void execute(CpuBackend&, const Gemm& op) {
  require_fp32(op.kName, {{"c", op.c}});
  const std::int64_t rows = op.rows(), columns = op.columns(), depth = op.depth();
  if (op.c.shape().elements() == 0) return;
  const std::int64_t a_stride = op.transpose_a == Transpose::kYes ? rows : depth;
  const std::int64_t b_stride = op.transpose_b == Transpose::kYes ? depth : columns;
  const std::int64_t a_step = op.transpose_a == Transpose::kYes ? 1 : a_stride;  // from row to row of op(a)
  const std::int64_t b_step =
      op.transpose_b == Transpose::kYes ? b_stride : 1;  // from column to column of op(b)
  const Chunks row_blocks(rows, kBlockRows), column_blocks(columns, kBlockColumns);
  for (int run = 0; run < op.c.runs(); ++run) {
    const float *a = op.a.data<float>(run), *b = op.b.data<float>(run);
    float* c = op.c.data<float>(run);
    if (depth == 0) {  // an empty sum; oneDNN would leave c as it is
      std::fill_n(c, op.c.shape().elements(), 0.0F);
      continue;
    }
    parallel_tasks(row_blocks.count() * column_blocks.count(), [&](std::int64_t task, int) {
      const std::int64_t i = task % row_blocks.count(), j = task / row_blocks.count();
      const std::int64_t row = row_blocks.begin(i), column = column_blocks.begin(j);
      multiply(op.kName, {.rows = row_blocks.end(i) - row,
                          .columns = column_blocks.end(j) - column,
                          .depth = depth,
                          .a = {a + row * a_step, a_stride, op.transpose_a},
                          .b = {b + column * b_step, b_stride, op.transpose_b},
                          .c = c + row * columns + column,
                          .c_stride = columns});
    });
  }
}

}  // namespace gnc
