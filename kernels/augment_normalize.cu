/// Gather, shift, flip and normalisation of a batch of stored pictures, at the destination pixel.
/// A thread per element of the batch: a byte read, an element written, scale and offset from the caches.
/// v1 one element per thread
#include "kernels/augment_normalize.h"

#include "kernels/grid.h"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kThreads = 256;

/// Blocks of one picture.
__host__ __device__ int blocks_per_picture(int height, int width, int channels) {
  return (height * width * channels + kThreads - 1) / kThreads;
}

template <class T>
__global__ void __launch_bounds__(kThreads) augment_normalize_v1(AugmentNormalizeArgs<T> args) {
  const int blocks = blocks_per_picture(args.height, args.width, args.channels);
  const int block = static_cast<int>(blockIdx.x);
  const int element = block % blocks * kThreads + static_cast<int>(threadIdx.x);
  if (element >= args.height * args.width * args.channels) return;
  const int b = block / blocks, c = element % args.channels, pixel = element / args.channels;
  const int h = pixel / args.width, w = pixel % args.width;
  const std::int64_t run = blockIdx.y;

  const std::int64_t picture = args.indices[run * args.indices_run_stride + b];
  const bool is_flipped = args.flips[run * args.flips_run_stride + b] != 0;
  const std::int32_t* const shift = args.shifts + run * args.shifts_run_stride + 2 * b;
  const int row = h + shift[0];
  const int column = (is_flipped ? args.width - 1 - w : w) + shift[1];
  float value = 0.0f;  // black where the crop leaves the picture
  if (row >= 0 && row < args.height && column >= 0 && column < args.width)
    value = static_cast<float>(args.pixels[picture * args.pixels_strides.n + row * args.pixels_strides.h +
                                           column * args.pixels_strides.w + c]) /
            255.0f;
  const std::int64_t at = h * args.normalization_strides.h + w * args.normalization_strides.w + c;
  T* const y = args.y + run * args.y_run_stride + b * args.y_strides.n;
  y[h * args.y_strides.h + w * args.y_strides.w + c] =
      from_float<T>(fmaf(value, args.scale[at], args.offset[at]));
}

}  // namespace

template <class T>
void augment_normalize(const AugmentNormalizeArgs<T>& args, Stream stream) {
  const std::int64_t blocks = blocks_per_picture(args.height, args.width, args.channels);
  launch({.grid = {grid_extent(args.batch * blocks), static_cast<unsigned>(args.runs)},
          .block = {kThreads},
          .stream = stream},
         augment_normalize_v1<T>, args);
}

template void augment_normalize(const AugmentNormalizeArgs<float>&, Stream);
template void augment_normalize(const AugmentNormalizeArgs<Bf16>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
