#pragma once
/// The gradient of a convolution's input as a product, x_grad[pixel, c] = Σ_depth y_grad(pixel, depth) ·
/// weights(depth, c), whose depth runs over taps and output channels.
///
/// A tap (k,l) leads from pixel (h,w) to output ((h + padding − k) / stride, (w + padding − l) / stride), if
/// that is whole. So pixels fall into stride² phases, by h and w modulo stride, and those of one phase have
/// their taps in common: each phase is a product of its own, which multiplies by no zero but padding. In a
/// phase, outputs fall as taps rise; taken in reverse they rise together, and y_grad is seen through a window
/// as x is in the forward pass.

#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/conv2d_window.cuh"
#include "kernels/implicit_gemm.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// What the launcher has found out. (Strides are here because kernel parameters cost no registers.)
struct InputGradientPlan {
  std::int64_t tap_stride_h;  ///< in the weights, from a tap of a window to the next one below it
  std::int64_t tap_stride_w;
  PixelOrder order;
};

/// Of arguments with these members, and the extents of the largest phase.
template <class Args>
InputGradientPlan plan_input_gradient(const Args& args, int height, int width) {
  const std::int64_t tap_stride = -std::int64_t{args.shape.stride} * args.shape.x_channels;
  return {.tap_stride_h = tap_stride * args.shape.kernel,
          .tap_stride_w = tap_stride,
          .order = pixel_order_of(args.y_grad.strides, height, width)};
}

/// Of the product's operands.
template <class T, class Args>
OperandAlignment alignment_of_input_gradient(const Args& args) {
  return {.a = Alignment{}.images(args.y_grad, args.shape.y_channels),
          .b = Alignment{}
                   .pointer(args.weights.data)
                   .template elements<T>({args.weights.run_stride, args.shape.x_channels})};
}

/// One dimension of a phase: pixels remainder, remainder + stride, …, and the taps that lead from them to
/// whole outputs, first_tap, first_tap + stride, ….
struct Phase {
  int remainder;
  int first_tap;
  WindowDimension window;  ///< positions: the pixels; taps: those in reverse; source: y_grad

  __device__ Phase(int phase_remainder, int x_extent, int y_extent, const Conv2dShape& shape)
      : remainder(phase_remainder), first_tap((remainder + shape.padding) % shape.stride) {
    const int taps = first_tap < shape.kernel ? (shape.kernel - 1 - first_tap) / shape.stride + 1 : 0;
    const int output = (remainder + shape.padding) / shape.stride;  // of the first pixel by the first tap
    window = {.positions = (x_extent - remainder + shape.stride - 1) / shape.stride,
              .taps = taps,
              .scale = 1,
              .shift = output - (taps - 1),
              .source_extent = y_extent};
  }
  /// The kernel's tap that is `tap` of the window.
  __device__ int kernel_tap(int tap, int stride) const {
    return first_tap + (window.taps - 1 - tap) * stride;
  }
};

/// Calls `multiply(patches, filters, depths, window)` with the operands of the product of a phase in a run,
/// and the taps that the tile from `first_row` on needs. The window's positions are the pixels of the phase.
/// (A constructor of the operands would cost registers, and the largest tiles have none to spare.)
template <class T, class Args, class Multiply>
__device__ void with_input_gradient(const Args& args, const InputGradientPlan& plan, const Phase& vertical,
                                    const Phase& horizontal, int first_row, std::int64_t run,
                                    const Multiply& multiply) {
  const Conv2dShape& shape = args.shape;
  const Window whole{vertical.window, horizontal.window, shape.batch, plan.order};
  const Window::Taps taps = whole.taps_of_tile(first_row);
  const Window window = whole.with_taps(taps);
  const int last_k = vertical.kernel_tap(taps.vertical.begin, shape.stride);
  const int last_l = horizontal.kernel_tap(taps.horizontal.begin, shape.stride);
  const Operand<T, DigitAxis, DigitAxis, Order::kDepthFastest> patches{
      .data = args.y_grad.run(run) + window.origin(args.y_grad.strides),
      .rows = window.source_axis(args.y_grad.strides),
      .depth = window.taps_axis(shape.y_channels, args.y_grad.strides.h, args.y_grad.strides.w, 1),
      .height = shape.y_height,
      .width = shape.y_width};
  const Operand<T, PlainAxis, DigitAxis, Order::kRowsFastest> filters{
      .data = args.weights.run(run) + (std::int64_t{last_k} * shape.kernel + last_l) * shape.x_channels,
      .rows = {shape.x_channels, 1},
      .depth =
          window.taps_axis(shape.y_channels, plan.tap_stride_h, plan.tap_stride_w, shape.filter_elements())};
  multiply(patches, filters, DepthRange{0, patches.depth.size}, window);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
