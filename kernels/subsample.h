#pragma once
/// Every stride-th pixel of an image, with channels of zeros around its own: the parameter-free shortcut of
/// residual networks.

#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/gradient_mode.h"
#include "kernels/image.h"
#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Pixel (i,j) of y is pixel (i·stride, j·stride) of x, whose channels are y's from first_channel on.
struct SubsampleExtents {
  int images;           ///< N
  int channels;         ///< C
  int height;           ///< H of x
  int width;            ///< W of x
  int output_channels;  ///< at least first_channel + C
  int output_height;    ///< ⌈H/stride⌉
  int output_width;     ///< ⌈W/stride⌉
  int stride;
  int first_channel;
  int runs;  ///< at most 65535
};

/// T is float or Bf16. Run r of an operand starts r times its run stride (in elements) after its pointer; a
/// stride of 0 shares what is read.
template <class T>
struct SubsampleForwardArgs {
  const T* x;
  T* y;  ///< overwritten
  ImageStrides x_strides;
  ImageStrides y_strides;
  std::int64_t x_run_stride;
  std::int64_t y_run_stride;
  SubsampleExtents extents;
};

/// Copies the sampled pixels and writes the zeros beside them. Queues one kernel; throws LaunchError
/// (kernels/simt.h).
template <class T>
void subsample_forward(const SubsampleForwardArgs<T>& args, Stream stream);

template <class T>
struct SubsampleBackwardArgs {
  const T* y_grad;
  T* x_grad;
  ImageStrides y_grad_strides;
  ImageStrides x_grad_strides;
  std::int64_t y_grad_run_stride;
  std::int64_t x_grad_run_stride;
  SubsampleExtents extents;
  GradientMode x_grad_mode;
};

/// The transpose: gradients go where the pixels came from, zeros everywhere else; overwrites, or adds that.
/// Queues one kernel; throws LaunchError.
template <class T>
void subsample_backward(const SubsampleBackwardArgs<T>& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
