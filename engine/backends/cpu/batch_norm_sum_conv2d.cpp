#include "engine/ops/batch_norm_sum_conv2d.h"

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {

/// Its convolutions are oneDNN's, which lets nobody at its sums before they are in memory.
void execute(CpuBackend& cpu, const BatchNormSumConv2dBackward& op) {
  cpu::require_fp32(op.kName, {{"x", op.x}});
  execute(cpu, convolution_of(op));
  if (!op.is_onto_others()) execute(cpu, others_of(op));
  execute(cpu, normalization_of(op));
}

}  // namespace gnc
