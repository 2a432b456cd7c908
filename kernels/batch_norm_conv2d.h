#pragma once
/// A batch normalisation and the convolution behind it, backward at once.

#include <cstddef>
#include <span>

#include "kernels/batch_norm_shared.h"
#include "kernels/conv2d.h"
#include "kernels/gradient_mode.h"
#include "kernels/image.h"
#include "kernels/math_mode.h"
#include "kernels/stream.h"
#include "kernels/versions.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

template <class T>
struct BatchNormConv2dBackwardArgs {
  Conv2dShape shape;  ///< of stride 1; x is what comes out of the normalisation
  PerRun<const T> weights;
  Images<const T> y_grad;
  BatchNormSharedBackwardArgs<T> norm;  ///< its y_grad is not used; workspace, tickets: as below
  ImageStrides rows;                    ///< of the pixels of a run, in rows of the normalisation's matrices
  MathMode math;                        ///< of T = float
  GradientMode x_grad_mode = GradientMode::kAccumulate;
};

/// batch_norm_shared_backward of the x_grad that conv2d_backward_input gives, which is not rounded to T
/// between the two; adds slope·g to x_grad, or overwrites it. Queues one kernel, the newest rung of the
/// ladder; throws LaunchError (kernels/simt.h). No pixels: nothing is written.
template <class T>
void batch_norm_conv2d_backward(const BatchNormConv2dBackwardArgs<T>& args, Stream stream);

/// Bytes of norm.workspace, aligned to a double, and norm.tickets for these extents and runs.
std::size_t batch_norm_conv2d_workspace(const Conv2dShape& shape, int runs);
int batch_norm_conv2d_tickets(const Conv2dShape& shape, int runs);

/// The ladder, oldest rung first.
template <class T>
std::span<const KernelVersion<BatchNormConv2dBackwardArgs<T>>> batch_norm_conv2d_backward_versions();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
