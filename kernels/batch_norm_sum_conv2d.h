#pragma once
/// The end of a residual block and the convolution behind it, backward at once.

#include <cstddef>
#include <span>

#include "kernels/batch_norm.h"
#include "kernels/conv2d.h"
#include "kernels/image.h"
#include "kernels/math_mode.h"
#include "kernels/stream.h"
#include "kernels/versions.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

template <class T>
struct BatchNormSumConv2dBackwardArgs {
  Conv2dShape shape;  ///< x is what comes out of the block, norm.y
  PerRun<const T> weights;
  Images<const T> y_grad;  ///< of what comes out of the convolution
  /// y and addend_grad given, y_grad = addend_grad; workspace and tickets as below.
  BatchNormBackwardArgs<T> norm;
  ImageStrides rows;            ///< of the pixels of a run, in rows of the normalisation's matrices
  Images<const T> others_grad;  ///< at least as many channels; may be norm.addend_grad
  int others_stride;            ///< that has every so-manieth pixel of each row and column
  MathMode math;                ///< of T = float
};

/// batch_norm_backward with an addend, of the x_grad that conv2d_backward_input gives and what the others
/// gave at their pixels: g, masked by norm.y, is rounded to T once, in norm.addend_grad. Queues two
/// kernels, with the newest rung of the ladder; throws LaunchError (kernels/simt.h). No pixels: nothing is
/// written.
template <class T>
void batch_norm_sum_conv2d_backward(const BatchNormSumConv2dBackwardArgs<T>& args, Stream stream);

/// Bytes of norm.workspace, aligned to a double, and norm.tickets for these extents and runs.
std::size_t batch_norm_sum_conv2d_workspace(const Conv2dShape& shape, int runs);
int batch_norm_sum_conv2d_tickets(const Conv2dShape& shape, int runs);

/// The ladder, oldest rung first.
template <class T>
std::span<const KernelVersion<BatchNormSumConv2dBackwardArgs<T>>> batch_norm_sum_conv2d_backward_versions();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
