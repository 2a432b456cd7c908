#pragma once
/// Batch normalisation in training with 2x2 maximum pooling behind it.

#include <cstddef>
#include <cstdint>

#include "kernels/batch_norm.h"
#include "kernels/image.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Windows of 2x2 pixels side by side: x and x_grad are images [N,C,2H',2W'], y, y_grad and winner
/// [N,C,H',W'].
struct PoolWindows {
  int images;            ///< N
  int height;            ///< H'
  int width;             ///< W'
  ImageStrides strides;  ///< of x and x_grad
  ImageStrides pooled;   ///< of y, y_grad and winner
};

/// T is float or Bf16. norm.extents are those of x; norm.y is the pooled images.
template <class T>
struct BatchNormMaxPoolForwardArgs {
  BatchNormForwardArgs<T> norm;
  PoolWindows windows;
  std::uint8_t* winner;
  std::int64_t winner_run_stride;
};

/// batch_norm_forward, then max_pool_forward, to the bit: what the normalisation gives is rounded to T before
/// it is compared. norm.workspace is that of batch_norm_workspace(). Queues two kernels, or one; throws
/// LaunchError (kernels/simt.h), also for more than 2³¹−1 windows.
template <class T>
void batch_norm_max_pool_forward(const BatchNormMaxPoolForwardArgs<T>& args, Stream stream);

/// norm.extents are those of x; norm.y_grad is the gradient of the pooled images, norm.x_grad is overwritten.
template <class T>
struct BatchNormMaxPoolBackwardArgs {
  BatchNormBackwardArgs<T> norm;
  PoolWindows windows;
  const std::uint8_t* winner;  ///< in [0,4)
  std::int64_t winner_run_stride;
};

/// Bytes that norm.workspace of the backward pass has to hold; aligned to a double.
std::size_t batch_norm_max_pool_backward_workspace(const PoolWindows& windows, int channels, int runs);

/// max_pool_backward, then batch_norm_backward, but for the order of the sums. Queues two kernels; throws
/// LaunchError, also for more than 2³¹−1 windows.
template <class T>
void batch_norm_max_pool_backward(const BatchNormMaxPoolBackwardArgs<T>& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
