#include "engine/ops/batch_norm_conv2d.h"

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {

/// Its convolutions are oneDNN's, which lets nobody at its sums before they are in memory.
void execute(CpuBackend& cpu, const BatchNormConv2dBackward& op) {
  cpu::require_fp32(op.kName, {{"x", op.x}});
  execute(cpu, convolution_of(op));
  if (op.is_shared()) {
    execute(cpu, shared_normalization_of(op));
  } else {
    execute(cpu, own_normalization_of(op));
  }
}

}  // namespace gnc
