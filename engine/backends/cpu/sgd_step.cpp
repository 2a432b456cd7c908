#include "engine/ops/sgd_step.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::Chunks;
using cpu::parallel_for;
using cpu::require_fp32;

/// Elements [begin, end) of one run.
struct Range {
  float* values;
  float* momenta;
  const float* gradients;
  std::int64_t begin;
  std::int64_t end;
};

/// Whether every new value and momentum was finite; where one is not, the element stays as it was.
template <MomentumKind kind>
bool step_if_finite(const SgdStep& op, const Range& range) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  const float learning_rate = op.learning_rate, momentum = op.momentum, weight_decay = op.weight_decay;
  int bad = 0;
#pragma omp simd reduction(| : bad)
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    const float step = range.gradients[i] + weight_decay * range.values[i];
    const float new_momentum = momentum * range.momenta[i] + step;
    const float direction = kind == MomentumKind::kNesterov ? step + momentum * new_momentum : new_momentum;
    const float new_value = range.values[i] - learning_rate * direction;
    const int is_good = static_cast<int>(std::abs(new_momentum) <= kLargest) &
                        static_cast<int>(std::abs(new_value) <= kLargest);
    range.momenta[i] = is_good != 0 ? new_momentum : range.momenta[i];
    range.values[i] = is_good != 0 ? new_value : range.values[i];
    bad |= 1 - is_good;
  }
  return bad == 0;
}

template <MomentumKind kind>
void step(const SgdStep& op, const Range& range) {
  const float learning_rate = op.learning_rate, momentum = op.momentum, weight_decay = op.weight_decay;
#pragma omp simd
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    const float step = range.gradients[i] + weight_decay * range.values[i];
    range.momenta[i] = momentum * range.momenta[i] + step;
    const float direction =
        kind == MomentumKind::kNesterov ? step + momentum * range.momenta[i] : range.momenta[i];
    range.values[i] -= learning_rate * direction;
  }
}

template <MomentumKind kind>
void step_range(const SgdStep& op, int run, const Range& range) {
  if (!op.non_finite) return step<kind>(op, range);
  if (!step_if_finite<kind>(op, range))
    std::atomic_ref(*op.non_finite.data<std::int32_t>(run)).store(1, std::memory_order_relaxed);
}

bool has_finite_losses(const SgdStep& op, int run) {
  if (!op.losses) return true;
  const float* losses = op.losses.data<float>(run);
  return std::all_of(losses, losses + op.losses.shape().elements(),
                     [](float loss) { return std::isfinite(loss); });
}

}  // namespace

void execute(CpuBackend& cpu, const SgdStep& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"values", op.values}});
  const Chunks chunks(op.values.shape().elements(), 16384);
  for (int run = 0; run < op.values.runs(); ++run) {
    if (!has_finite_losses(op, run)) continue;
    float *values = op.values.data<float>(run), *momenta = op.momentum_buffer.data<float>(run);
    const float* gradients = op.gradients.data<float>(run);
    Bf16* bf16_values = op.bf16_values ? op.bf16_values.data<Bf16>(run) : nullptr;
    parallel_for(chunks.count(), op.values.shape().elements(), [&](std::int64_t chunk) {
      const Range range{values, momenta, gradients, chunks.begin(chunk), chunks.end(chunk)};
      if (op.momentum_kind == MomentumKind::kNesterov)
        step_range<MomentumKind::kNesterov>(op, run, range);
      else
        step_range<MomentumKind::kClassical>(op, run, range);
      if (bf16_values == nullptr) return;
      for (std::int64_t i = range.begin; i < range.end; ++i) bf16_values[i] = Bf16::from_float(values[i]);
    });
  }
}

}  // namespace gnc
