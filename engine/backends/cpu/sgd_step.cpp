#include "engine/ops/sgd_step.h"

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::Chunks;
using cpu::parallel_for;
using cpu::require_fp32;

}  // namespace

void execute(CpuBackend& cpu, const SgdStep& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"values", op.values}});
  const Chunks chunks(op.values.shape().elements(), 16384);
  const float learning_rate = op.learning_rate, momentum = op.momentum, weight_decay = op.weight_decay;
  for (int run = 0; run < op.values.runs(); ++run) {
    float *values = op.values.data<float>(run), *momenta = op.momentum_buffer.data<float>(run);
    const float* gradients = op.gradients.data<float>(run);
    Bf16* bf16_values = op.bf16_values ? op.bf16_values.data<Bf16>(run) : nullptr;
    parallel_for(chunks.count(), op.values.shape().elements(), [&](std::int64_t chunk) {
      if (op.momentum_kind == MomentumKind::kNesterov) {
#pragma omp simd
        for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) {
          const float step = gradients[i] + weight_decay * values[i];
          momenta[i] = momentum * momenta[i] + step;
          values[i] -= learning_rate * (step + momentum * momenta[i]);
        }
      } else {
#pragma omp simd
        for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) {
          momenta[i] = momentum * momenta[i] + (gradients[i] + weight_decay * values[i]);
          values[i] -= learning_rate * momenta[i];
        }
      }
      if (bf16_values == nullptr) return;
      for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i)
        bf16_values[i] = Bf16::from_float(values[i]);
    });
  }
}

}  // namespace gnc
