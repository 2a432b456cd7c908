/// A step of the unconstrained feature model between its matrix products. All of it is bound by memory: the
/// gradient reads and writes each logit once (4 bytes each way in fp32, 2 to write a gradient in bf16), from
/// and to the L2 cache where the chunk was sized for it; a step reads an iterate and its gradient and writes
/// the iterate, and its rounded copy where one is wanted.
/// ufm_gradient: v1 warp per sample, logits read three times · v2 logits in registers (C ≤ 1024), read once
#include "kernels/ufm_step.h"

#include "kernels/grid.h"
#include "kernels/newest.h"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"
#include "kernels/ufm_gradient_row.cuh"
#include "kernels/ufm_math.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

using namespace ufm;

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;

/// Row of this warp, where every warp has one.
__device__ int row_of_warp() {
  return static_cast<int>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kWarpSize;
}
__device__ int lane_of_thread() { return static_cast<int>(threadIdx.x) % kWarpSize; }

LaunchShape warp_per_row(int rows, int runs, Stream stream) {
  return {.grid = {grid_extent(ceil_divide(rows, kWarps)), static_cast<unsigned>(runs)},
          .block = {kThreads},
          .stream = stream};
}

/// grid (⌈samples/kWarps⌉, runs)
template <class T, class Gradient>
__global__ void __launch_bounds__(kThreads) ufm_gradient_v1(UfmGradientArgs<T, Gradient> args) {
  if (row_of_warp() >= args.samples) return;  // whole warps leave, so the full masks below stay true
  const T* const logits = args.logits + row_of_logits(args, row_of_warp());
  Gradient* const gradients = args.gradients + row_of_logits(args, row_of_warp());
  const int label = label_of(args, row_of_warp()), lane = lane_of_thread();
  T largest = -INFINITY, sum = 0;
  for (int y = lane; y < args.classes; y += kWarpSize) largest = Larger{}(largest, logits[y]);
  largest = warp_reduce<Larger>(largest);
  for (int y = lane; y < args.classes; y += kWarpSize) sum += exponential(logits[y] - largest);
  sum = warp_reduce<Sum>(sum);
  // Each logit is read last by the lane that may overwrite it, the label's first for the loss.
  if (lane == label % kWarpSize) store_loss(args, row_of_warp(), sum, logits[label], largest);
  for (int y = lane; y < args.columns; y += kWarpSize)
    store_gradient(args, gradients + y, exponential(logits[y] - largest), sum, y, label);
}

/// As v1 to the last bit, with the row in registers: kPerLane columns per lane.
template <class T, class Gradient, int kPerLane>
__global__ void __launch_bounds__(kThreads) ufm_gradient_v2(UfmGradientArgs<T, Gradient> args) {
  if (row_of_warp() >= args.samples) return;  // whole warps, as above
  store_gradients_of_row<kPerLane>(args, row_of_warp(), args.logits + row_of_logits(args, row_of_warp()));
}

/// grid (kUfmSquares, runs)
template <class T>
__global__ void __launch_bounds__(kThreads) ufm_squares_v1(UfmSquaresArgs<T> args) {
  const T* const __restrict__ values = args.values + blockIdx.y * args.values_run_stride;
  T sum = 0;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < args.elements;
       i += std::int64_t{kUfmSquares} * kThreads)
    sum = multiply_add(values[i], values[i], sum);
  sum = block_reduce<kThreads, Sum>(sum);
  if (threadIdx.x == 0) args.squares[blockIdx.y * kUfmSquares + blockIdx.x] = sum;
}

/// grid (⌈rows/kWarps⌉, runs)
template <class T>
__global__ void __launch_bounds__(kThreads) ufm_step_v1(UfmStepArgs<T> args) {
  if (row_of_warp() >= args.rows) return;  // whole warps, as above
  const std::int64_t run = blockIdx.y, row = row_of_warp();
  T* const __restrict__ values = args.values + run * args.values_run_stride + row * args.dim;
  const T* const __restrict__ gradients =
      args.gradients + run * args.gradients_run_stride + row * args.columns;
  T square = 0;
  if (args.penalty == UfmPenaltyKind::kNorm)
    for (int i = 0; i < kUfmSquares; ++i) square += args.squares[run * kUfmSquares + i];
  const T weight = penalty_weight(args.penalty, args.rates.decay, square);
  T new_square = 0;
  for (int k = lane_of_thread(); k < args.dim; k += kWarpSize) {
    const T x = stepped(values[k], gradients[k], args.rates.rate, weight);
    new_square = multiply_add(x, x, new_square);
    values[k] = x;
  }
  if (args.penalty == UfmPenaltyKind::kSphere) {
    const T factor = projection(args.norm, warp_reduce<Sum>(new_square));
    for (int k = lane_of_thread(); k < args.dim; k += kWarpSize) values[k] *= factor;
  }
  if (args.rounded == nullptr) return;
  Bf16* const __restrict__ rounded = args.rounded + run * args.rounded_run_stride + row * args.columns;
  for (int k = lane_of_thread(); k < args.columns; k += kWarpSize)  // a lane's own values
    rounded[k] = from_float<Bf16>(k < args.dim ? static_cast<float>(values[k]) : 0.0F);
}

/// grid (⌈padded_rows·columns/kThreads⌉, runs)
__global__ void __launch_bounds__(kThreads) ufm_round_v1(UfmRoundArgs args) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const std::int64_t row = i / args.columns, column = i % args.columns;
  if (row >= args.padded_rows) return;
  const bool is_inside = row < args.rows && column < args.dim;
  args.rounded[blockIdx.y * args.rounded_run_stride + i] = from_float<Bf16>(
      is_inside ? args.values[blockIdx.y * args.values_run_stride + row * args.dim + column] : 0.0F);
}

template <class T>
__global__ void __launch_bounds__(kThreads) ufm_add_v1(UfmAddArgs<T> args) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < args.elements) args.sums[i] += args.addends[i];
}

template <class T, class Gradient>
void launch_gradient_v1(const UfmGradientArgs<T, Gradient>& args, Stream stream) {
  launch(warp_per_row(args.samples, args.runs, stream), ufm_gradient_v1<T, Gradient>, args);
}

template <class T, class Gradient>
bool gradient_v2_accepts(const UfmGradientArgs<T, Gradient>& args) {
  return args.columns <= 32 * kWarpSize;
}

template <class T, class Gradient>
void launch_gradient_v2(const UfmGradientArgs<T, Gradient>& args, Stream stream) {
  const LaunchShape shape = warp_per_row(args.samples, args.runs, stream);
  if (args.columns <= 1 * kWarpSize) return launch(shape, ufm_gradient_v2<T, Gradient, 1>, args);
  if (args.columns <= 4 * kWarpSize) return launch(shape, ufm_gradient_v2<T, Gradient, 4>, args);
  if (args.columns <= 16 * kWarpSize) return launch(shape, ufm_gradient_v2<T, Gradient, 16>, args);
  launch(shape, ufm_gradient_v2<T, Gradient, 32>, args);
}

template <class T, class Gradient>
constexpr KernelVersion<UfmGradientArgs<T, Gradient>> kGradientVersions[] = {
    {"ufm_gradient_v1", nullptr, launch_gradient_v1<T, Gradient>},
    {"ufm_gradient_v2", gradient_v2_accepts<T, Gradient>, launch_gradient_v2<T, Gradient>}};

}  // namespace

template <class T, class Gradient>
void ufm_gradient(const UfmGradientArgs<T, Gradient>& args, Stream stream) {
  launch_newest(ufm_gradient_versions<T, Gradient>(), args, stream);
}

template <class T, class Gradient>
std::span<const KernelVersion<UfmGradientArgs<T, Gradient>>> ufm_gradient_versions() {
  return kGradientVersions<T, Gradient>;
}

template <class T>
void ufm_squares(const UfmSquaresArgs<T>& args, Stream stream) {
  launch({.grid = {kUfmSquares, static_cast<unsigned>(args.runs)}, .block = {kThreads}, .stream = stream},
         ufm_squares_v1<T>, args);
}

template <class T>
void ufm_step(const UfmStepArgs<T>& args, Stream stream) {
  launch(warp_per_row(args.rows, args.runs, stream), ufm_step_v1<T>, args);
}

void ufm_round(const UfmRoundArgs& args, Stream stream) {
  launch({.grid = {grid_extent(ceil_divide(std::int64_t{args.padded_rows} * args.columns, kThreads)),
                   static_cast<unsigned>(args.runs)},
          .block = {kThreads},
          .stream = stream},
         ufm_round_v1, args);
}

template <class T>
void ufm_add(const UfmAddArgs<T>& args, Stream stream) {
  launch({.grid = {grid_extent(ceil_divide(args.elements, kThreads))}, .block = {kThreads}, .stream = stream},
         ufm_add_v1<T>, args);
}

template void ufm_gradient(const UfmGradientArgs<float, float>&, Stream);
template void ufm_gradient(const UfmGradientArgs<float, Bf16>&, Stream);
template void ufm_gradient(const UfmGradientArgs<double, double>&, Stream);
template std::span<const KernelVersion<UfmGradientArgs<float, float>>> ufm_gradient_versions();
template std::span<const KernelVersion<UfmGradientArgs<float, Bf16>>> ufm_gradient_versions();
template std::span<const KernelVersion<UfmGradientArgs<double, double>>> ufm_gradient_versions();
template void ufm_squares<float>(const UfmSquaresArgs<float>&, Stream);
template void ufm_squares<double>(const UfmSquaresArgs<double>&, Stream);
template void ufm_step<float>(const UfmStepArgs<float>&, Stream);
template void ufm_step<double>(const UfmStepArgs<double>&, Stream);
template void ufm_add<float>(const UfmAddArgs<float>&, Stream);
template void ufm_add<double>(const UfmAddArgs<double>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
