#include "engine/ops/fixed_classifier_loss.h"

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {

/// Composed: oneDNN's products are what takes the time, and none of the ops asks for the workspace.
void execute(CpuBackend& cpu, const FixedClassifierLoss& op) {
  cpu::require_fp32(op.kName, {{"x", op.x}});
  void* const workspace = cpu.workspace(FixedClassifierLossScratch::bytes(op));
  run_composed(op, FixedClassifierLossScratch(op, workspace, cpu.memory()),
               [&](const auto& part) { cpu.run(part); });
}

}  // namespace gnc
