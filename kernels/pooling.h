#pragma once
/// Maximum and average pooling over square windows.

#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/image.h"
#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Window (i,j) of an image covers rows i·stride − padding + k and columns j·stride − padding + l, k and l in
/// [0,kernel).
struct PoolExtents {
  int images;         ///< N
  int channels;       ///< C
  int height;         ///< H of x
  int width;          ///< W of x
  int output_height;  ///< H' of y
  int output_width;   ///< W' of y
  int kernel;         ///< at most 16 where there are winners
  int stride;
  int padding;  ///< at most kernel/2, so that every window has a pixel
  int runs;     ///< at most 65535
};

/// T is float or Bf16. Run r of an operand starts r times its run stride (in elements) after its pointer; a
/// stride of 0 shares what is read.
template <class T>
struct PoolForwardArgs {
  const T* x;                      ///< [N,C,H,W]
  T* y;                            ///< [N,C,H',W']
  std::uint8_t* winner = nullptr;  ///< [N,C,H',W'] in the strides of y, or null; of the maximum only
  ImageStrides x_strides;
  ImageStrides y_strides;
  std::int64_t x_run_stride;
  std::int64_t y_run_stride;
  std::int64_t winner_run_stride = 0;
  PoolExtents extents;
};

/// y = the largest pixel of each window; NaN beats all, padding never wins. winner = k·kernel + l of the
/// first largest in row-major order of the window. Queues one kernel; throws LaunchError (kernels/simt.h).
template <class T>
void max_pool_forward(const PoolForwardArgs<T>& args, Stream stream);

/// y = the sum of each window over kernel²: padding is zeros, and is counted. A kernel as large as the image
/// is global average pooling. Queues one kernel; throws LaunchError.
template <class T>
void average_pool_forward(const PoolForwardArgs<T>& args, Stream stream);

template <class T>
struct PoolBackwardArgs {
  const T* y_grad;                       ///< [N,C,H',W']
  const std::uint8_t* winner = nullptr;  ///< [N,C,H',W'] in the strides of y_grad; of the maximum only
  T* x_grad;                             ///< [N,C,H,W], overwritten
  ImageStrides y_grad_strides;
  ImageStrides x_grad_strides;
  std::int64_t y_grad_run_stride;
  std::int64_t winner_run_stride = 0;
  std::int64_t x_grad_run_stride;
  PoolExtents extents;
};

/// x_grad = the sum of y_grad over the windows that the pixel won, in row-major order of the windows. Queues
/// one kernel; throws LaunchError.
template <class T>
void max_pool_backward(const PoolBackwardArgs<T>& args, Stream stream);

/// x_grad = the sum of y_grad over the windows that cover the pixel, over kernel². Queues one kernel; throws
/// LaunchError.
template <class T>
void average_pool_backward(const PoolBackwardArgs<T>& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
