/// Steps of attacks on a network's inputs.
/// Logits: a warp per row, as the classification losses. Projected step: a thread per element. DeepFool: a
/// block per picture, which reads its gradient twice (its norm, then the step) where the boundary is taken.
/// v1 of each
#include "kernels/adversarial.h"

#include "kernels/grid.h"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kRowWarps = 4;  // rows of logits per block
constexpr int kThreads = 256;

/// Blocks are (32, kRowWarps), grids (blocks of rows, runs).
__global__ void __launch_bounds__(kRowWarps* kWarpSize) log_odds_gradient_v1(LogOddsArgs args) {
  const std::int64_t b = std::int64_t{blockIdx.x} * kRowWarps + threadIdx.y, run = blockIdx.y;
  if (b >= args.batch) return;  // whole warps leave, so the full masks below stay true
  const int lane = static_cast<int>(threadIdx.x);
  const float* const logits = args.logits + run * args.logits_run_stride + b * args.classes;
  const int label = args.labels[run * args.labels_run_stride + b];

  float largest = -INFINITY;
  float poison = 0.0f;  // NaN where a logit is: maxima pass it over
  for (int k = lane; k < args.classes; k += kWarpSize) {
    if (logits[k] != logits[k]) poison = logits[k];
    if (k != label) largest = fmaxf(largest, logits[k]);
  }
  largest = warp_reduce<Maximum>(largest);
  poison = warp_reduce<Sum>(poison);
  const float label_logit = logits[label];
  float sum = 0.0f;
  for (int k = lane; k < args.classes; k += kWarpSize)
    if (k != label) sum += expf(logits[k] - largest);
  sum = warp_reduce<Sum>(sum);

  if (lane == 0) {
    float& least = args.margins[run * args.margins_run_stride + b];
    const float margin = label_logit - largest + poison;
    if (margin < least || margin != margin) least = margin;  // what is NaN stays NaN
  }
  if (args.logits_grad == nullptr) return;
  float* const logits_grad = args.logits_grad + run * args.logits_grad_run_stride + b * args.classes;
  // All lanes have read the label's logit before the one it belongs to may overwrite it; every other element
  // is last read by the lane that overwrites it.
  __syncwarp();
  for (int k = lane; k < args.classes; k += kWarpSize)
    logits_grad[k] = k == label ? -1.0f : expf(logits[k] - largest) / sum;
}

/// Where an element of a picture lies.
struct Place {
  std::int64_t picture;        ///< from the start of its picture
  std::int64_t normalization;  ///< in scale and offset
};

__device__ Place place_of(const PictureExtents& extents, int element) {
  const int c = element % extents.channels, pixel = element / extents.channels;
  const int h = pixel / extents.width, w = pixel % extents.width;
  return {.picture = h * extents.strides.h + w * extents.strides.w + c,
          .normalization = h * extents.normalization_strides.h + w * extents.normalization_strides.w + c};
}

/// Blocks of one picture.
__host__ __device__ int blocks_per_picture(const PictureExtents& extents) {
  return static_cast<int>((extents.elements() + kThreads - 1) / kThreads);
}

template <class T>
__global__ void __launch_bounds__(kThreads) projected_step_v1(ProjectedStepArgs<T> args) {
  const int blocks = blocks_per_picture(args.extents);
  const int block = static_cast<int>(blockIdx.x);
  const int element = block % blocks * kThreads + static_cast<int>(threadIdx.x);
  if (element >= args.extents.elements()) return;
  const std::int64_t run = blockIdx.y;
  const Place place = place_of(args.extents, element);
  const std::int64_t at = block / blocks * args.extents.strides.n + place.picture;
  const float scale = args.scale[place.normalization], offset = args.offset[place.normalization];
  float along = to_float(args.direction[run * args.direction_run_stride + at]);
  if (args.kind == StepDirection::kSign) {
    along *= scale;
    along = along > 0.0f ? 1.0f : along < 0.0f ? -1.0f : 0.0f;
  }
  const float clean = args.clean[run * args.clean_run_stride + at];
  const float low = fmaxf(clean - args.radius, 0.0f), high = fminf(clean + args.radius, 1.0f);
  float& picture = args.pictures[run * args.pictures_run_stride + at];
  const float moved = fminf(fmaxf(fmaf(args.size, along, picture), low), high);
  picture = moved;
  args.x[run * args.x_run_stride + at] = from_float<T>(fmaf(moved, scale, offset));
}

/// Grids are (pictures, runs).
template <class T>
__global__ void __launch_bounds__(kThreads) nearest_boundary_v1(NearestBoundaryArgs<T> args) {
  const int b = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  const std::int64_t run = blockIdx.y;
  const std::int64_t row = std::int64_t{b} * args.classes, picture = b * args.extents.strides.n;
  const float* const logits = args.logits + run * args.logits_run_stride + row;
  const float* const difference = args.difference + run * args.difference_run_stride + row;
  const T* const gradient = args.gradient + run * args.gradient_run_stride + picture;
  const auto slope_at = [&](const Place& place) {
    return args.scale[place.normalization] * to_float(gradient[place.picture]);
  };
  float value = 0.0f, square = 0.0f;
  for (int k = thread; k < args.classes; k += kThreads) value = fmaf(difference[k], logits[k], value);
  const int elements = static_cast<int>(args.extents.elements());
  for (int element = thread; element < elements; element += kThreads) {
    const float slope = slope_at(place_of(args.extents, element));
    square = fmaf(slope, slope, square);
  }
  value = fabsf(block_reduce<kThreads, Sum>(value));
  square = block_reduce<kThreads, Sum>(square);

  float& nearest = args.distances[run * args.distances_run_stride + b];
  const float distance = square > 0.0f ? value / sqrtf(square) : INFINITY;
  const bool is_nearer = args.is_first || distance < nearest;
  __syncthreads();  // all have read it before one writes it
  if (!is_nearer) return;
  if (thread == 0) nearest = distance;
  const float factor = square > 0.0f ? value / square : 0.0f;
  float* const steps = args.steps + run * args.steps_run_stride + picture;
  for (int element = thread; element < elements; element += kThreads) {
    const Place place = place_of(args.extents, element);
    steps[place.picture] = factor * slope_at(place);
  }
}

/// Grids are (pictures, runs).
template <class T>
__global__ void __launch_bounds__(kThreads) boundary_step_v1(BoundaryStepArgs<T> args) {
  const int b = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  const std::int64_t run = blockIdx.y, picture = b * args.extents.strides.n;
  const bool goes_on = args.predictions[run * args.predictions_run_stride + b] ==
                       args.classes[run * args.classes_run_stride + b];
  const float* const clean = args.clean + run * args.clean_run_stride + picture;
  const float* const steps = args.steps + run * args.steps_run_stride + picture;
  float* const perturbation = args.perturbation + run * args.perturbation_run_stride + picture;
  T* const x = args.x + run * args.x_run_stride + picture;
  float square = 0.0f;
  const int elements = static_cast<int>(args.extents.elements());
  for (int element = thread; element < elements; element += kThreads) {
    const Place place = place_of(args.extents, element);
    float& total = perturbation[place.picture];
    if (goes_on) total += steps[place.picture];
    square = fmaf(total, total, square);
    const float moved = fmaf(args.beyond, total, clean[place.picture]);
    x[place.picture] =
        from_float<T>(fmaf(moved, args.scale[place.normalization], args.offset[place.normalization]));
  }
  square = block_reduce<kThreads, Sum>(square);
  if (thread == 0) args.norms[run * args.norms_run_stride + b] = sqrtf(square);
}

LaunchShape block_per_picture(const PictureExtents& extents, Stream stream) {
  return {.grid = {grid_extent(extents.batch), static_cast<unsigned>(extents.runs)},
          .block = {kThreads},
          .stream = stream};
}

}  // namespace

void log_odds_gradient(const LogOddsArgs& args, Stream stream) {
  launch({.grid = {grid_extent(ceil_divide(args.batch, kRowWarps)), static_cast<unsigned>(args.runs)},
          .block = {kWarpSize, kRowWarps},
          .stream = stream},
         log_odds_gradient_v1, args);
}

template <class T>
void projected_step(const ProjectedStepArgs<T>& args, Stream stream) {
  const std::int64_t blocks = blocks_per_picture(args.extents);
  launch({.grid = {grid_extent(args.extents.batch * blocks), static_cast<unsigned>(args.extents.runs)},
          .block = {kThreads},
          .stream = stream},
         projected_step_v1<T>, args);
}

template <class T>
void nearest_boundary(const NearestBoundaryArgs<T>& args, Stream stream) {
  launch(block_per_picture(args.extents, stream), nearest_boundary_v1<T>, args);
}

template <class T>
void boundary_step(const BoundaryStepArgs<T>& args, Stream stream) {
  launch(block_per_picture(args.extents, stream), boundary_step_v1<T>, args);
}

template void projected_step(const ProjectedStepArgs<float>&, Stream);
template void projected_step(const ProjectedStepArgs<Bf16>&, Stream);
template void nearest_boundary(const NearestBoundaryArgs<float>&, Stream);
template void nearest_boundary(const NearestBoundaryArgs<Bf16>&, Stream);
template void boundary_step(const BoundaryStepArgs<float>&, Stream);
template void boundary_step(const BoundaryStepArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
