/// Stochastic gradient descent with momentum and weight decay, as torch.optim.SGD.
/// One thread per element; 12 bytes read and 8 written per element, so memory bound.
/// v1 one element per thread
#include "kernels/sgd_step.h"

#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kThreads = 256;

/// grid (blocks of elements, runs).
__global__ void __launch_bounds__(kThreads) sgd_step_v1(SgdStepArgs args) {
  const std::int64_t element = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (element >= args.elements) return;
  const std::int64_t run = blockIdx.y;
  float* const __restrict__ values = args.values + run * args.values_run_stride;
  const float* const __restrict__ gradients = args.gradients + run * args.gradients_run_stride;
  float* const __restrict__ buffer = args.momentum_buffer + run * args.momentum_buffer_run_stride;

  const float value = values[element];
  const float velocity = args.momentum * buffer[element] + (gradients[element] + args.weight_decay * value);
  buffer[element] = velocity;
  values[element] = value - args.learning_rate * velocity;
}

}  // namespace

void sgd_step(const SgdStepArgs& args, Stream stream) {
  if (args.elements == 0) return;  // an empty grid is a launch error
  const auto blocks = static_cast<unsigned>((args.elements + kThreads - 1) / kThreads);
  launch({.grid = {blocks, static_cast<unsigned>(args.runs)}, .block = {kThreads}, .stream = stream},
         sgd_step_v1, args);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
