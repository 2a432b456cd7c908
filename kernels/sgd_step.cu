/// Stochastic gradient descent with momentum and weight decay, as torch.optim.SGD.
/// 12 bytes read and 8 written per element (10 with a copy in bf16), so bound by memory. Every block reads
/// the losses, which stay in the L2 cache, instead of a flag that a kernel of its own would have to raise.
/// v1 one element per thread · v2 a pack of 16 bytes per thread
#include "kernels/sgd_step.h"

#include <limits>

#include "kernels/newest.h"
#include "kernels/pack.cuh"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kPack = kPackSize<float>;

__device__ bool is_finite(float x) { return fabsf(x) <= std::numeric_limits<float>::max(); }

/// Whether all losses of the run are finite. Called by all threads of the block.
__device__ bool has_finite_losses(const SgdStepArgs& args, std::int64_t run) {
  if (args.losses == nullptr) return true;
  const float* const __restrict__ losses = args.losses + run * args.losses_run_stride;
  int bad = 0;
  for (int i = static_cast<int>(threadIdx.x); i < args.samples; i += kFlatThreads)
    bad |= is_finite(losses[i]) ? 0 : 1;
  return block_reduce<kFlatThreads, Sum>(bad) == 0;
}

template <int N>
__device__ void step(const SgdStepArgs& args) {
  const std::int64_t run = blockIdx.y;
  if (!has_finite_losses(args, run)) return;
  float* const __restrict__ values = args.values + run * args.values_run_stride;
  const float* const __restrict__ gradients = args.gradients + run * args.gradients_run_stride;
  float* const __restrict__ buffer = args.momentum_buffer + run * args.momentum_buffer_run_stride;
  Bf16* const __restrict__ bf16_values = args.bf16_values + run * args.bf16_values_run_stride;

  for_pack_of_thread<N>(args.elements, [&](auto size, std::int64_t first) {
    Floats<size> value = load_floats<size>(values + first), velocity = load_floats<size>(buffer + first);
    const Floats<size> gradient = load_floats<size>(gradients + first);
    for (int i = 0; i < size; ++i) {
      // Fused by hand: whatever the compiler contracts, all rungs give the same bits.
      const float along = fmaf(args.weight_decay, value[i], gradient[i]);
      const float new_velocity = fmaf(args.momentum, velocity[i], along);
      const float direction = args.is_nesterov ? fmaf(args.momentum, new_velocity, along) : new_velocity;
      const float new_value = fmaf(-args.learning_rate, direction, value[i]);
      if (args.non_finite != nullptr && !(is_finite(new_velocity) && is_finite(new_value))) {
        atomicExch(args.non_finite + run * args.non_finite_run_stride, 1);
        continue;
      }
      velocity[i] = new_velocity;
      value[i] = new_value;
    }
    store_floats(velocity, buffer + first);
    store_floats(value, values + first);
    if (args.bf16_values != nullptr) store_floats(value, bf16_values + first);
  });
}

__global__ void __launch_bounds__(kFlatThreads) sgd_step_v1(SgdStepArgs args) { step<1>(args); }
__global__ void __launch_bounds__(kFlatThreads) sgd_step_v2(SgdStepArgs args) { step<kPack>(args); }

void launch_v1(const SgdStepArgs& args, Stream stream) {
  if (args.elements == 0) return;  // an empty grid is a launch error
  launch(flat_shape<1>(args.elements, args.runs, stream), sgd_step_v1, args);
}

void launch_v2(const SgdStepArgs& args, Stream stream) {
  if (args.elements == 0) return;
  launch(flat_shape<kPack>(args.elements, args.runs, stream), sgd_step_v2, args);
}

bool v2_accepts(const SgdStepArgs& args) {
  return holds_packs<kPack>(args.values, {args.values_run_stride}) &&
         holds_packs<kPack>(args.gradients, {args.gradients_run_stride}) &&
         holds_packs<kPack>(args.momentum_buffer, {args.momentum_buffer_run_stride}) &&
         holds_packs<kPack>(args.bf16_values, {args.bf16_values_run_stride});
}

constexpr KernelVersion<SgdStepArgs> kVersions[] = {{"sgd_step_v1", nullptr, launch_v1},
                                                    {"sgd_step_v2", v2_accepts, launch_v2}};

}  // namespace

void sgd_step(const SgdStepArgs& args, Stream stream) { launch_newest(sgd_step_versions(), args, stream); }

std::span<const KernelVersion<SgdStepArgs>> sgd_step_versions() { return kVersions; }

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
