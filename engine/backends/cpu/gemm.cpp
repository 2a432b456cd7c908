#include "engine/ops/gemm.h"

#include <dnnl.hpp>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::require_fp32;

}  // namespace

void execute(CpuBackend& cpu, const Gemm& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"c", op.c}});
  const int rows = op.rows(), columns = op.columns(), depth = op.depth();
  if (op.c.shape().elements() == 0) return;
  for (int run = 0; run < op.c.runs(); ++run) {
    if (depth == 0) {  // an empty sum; oneDNN would leave c as it is
      std::fill_n(op.c.data<float>(run), op.c.shape().elements(), 0.0F);
      continue;
    }
    const bool flip_a = op.transpose_a == Transpose::kYes, flip_b = op.transpose_b == Transpose::kYes;
    const dnnl::status status =
        dnnl::sgemm(flip_a ? 'T' : 'N', flip_b ? 'T' : 'N', rows, columns, depth, 1.0F, op.a.data<float>(run),
                    flip_a ? rows : depth, op.b.data<float>(run), flip_b ? depth : columns, 0.0F,
                    op.c.data<float>(run), columns);
    require<BackendError>(status == dnnl::status::success, "{}: oneDNN status {} for a {}, b {}, c {}",
                          op.kName, static_cast<int>(status), op.a.to_string(), op.b.to_string(),
                          op.c.to_string());
  }
}

}  // namespace gnc
