#pragma once
/// Two-dimensional convolution (cross-correlation, as the field uses the word), forward and both gradients.
/// T, the type of images and weights, is float or Bf16; sums, biases and gradients of parameters are fp32.

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/bfloat16.h"
#include "kernels/gradient_mode.h"
#include "kernels/image.h"
#include "kernels/math_mode.h"
#include "kernels/stream.h"
#include "kernels/versions.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Images of every run. Nothing need be aligned beyond T, though kernels are faster where all is to 16 bytes.
template <class T>
struct Images {
  T* data;
  std::int64_t run_stride;  ///< from run to run, in elements; 0: shared by the runs (read only)
  ImageStrides strides;

  constexpr T* run(std::int64_t index) const { return data + index * run_stride; }
  /// Of the first channel of pixel (h,w) of image n from the start of the run.
  constexpr std::int64_t offset(int n, int h, int w) const {
    return n * strides.n + h * strides.h + w * strides.w;
  }
};

/// An array per run: weights, a bias, or the gradient of one of them.
template <class T>
struct PerRun {
  T* data = nullptr;            ///< null: not given, where that is allowed
  std::int64_t run_stride = 0;  ///< from run to run, in elements; 0: shared by the runs (read only)

  constexpr T* run(std::int64_t index) const { return data + index * run_stride; }
};

/// Extents of a convolution; all are at least 1, but for the batch and the padding, which may be 0. Images of
/// one run have fewer than 2³⁰ pixels, and a filter has fewer elements than that.
struct Conv2dShape {
  int batch;
  int x_channels, x_height, x_width;
  int y_channels, y_height, y_width;  ///< y_height = floor((x_height + 2·padding − kernel) / stride) + 1
  int kernel, stride, padding;        ///< square; the padding is zeros on all four sides

  constexpr int taps() const { return kernel * kernel; }
  /// Elements of one filter, [kernel,kernel,x_channels]: the depth of the forward sum.
  constexpr int filter_elements() const { return taps() * x_channels; }
  constexpr std::int64_t weights() const { return std::int64_t{y_channels} * filter_elements(); }
  constexpr int x_pixels() const { return batch * x_height * x_width; }
  constexpr int y_pixels() const { return batch * y_height * y_width; }
};

/// Batch statistics of the channels of y, for the batch norm that takes it: mean = Σy/m, variance =
/// Σ(y−mean)²/m, invstd = 1/√(variance + epsilon) over its m pixels.
struct Conv2dStatistics {
  PerRun<float> mean;  ///< [y_channels], as the others; null: no statistics are wanted
  PerRun<float> variance;
  PerRun<float> invstd;
  float* workspace = nullptr;  ///< of conv2d_statistics_workspace() bytes, aligned to a double
  int* tickets = nullptr;      ///< conv2d_statistics_tickets(); zero before the launch, and again after it
  float epsilon = 0;
};

/// Weights lie as [y_channels,kernel,kernel,x_channels] (channels fastest), as their gradients do.
template <class T>
struct Conv2dForwardArgs {
  Conv2dShape shape;
  Images<const T> x;
  PerRun<const T> weights;
  PerRun<const float> bias;  ///< [y_channels]; may be null
  Images<T> y;               ///< overwritten
  int runs;                  ///< at most 65535
  MathMode math;             ///< of T = float
  Conv2dStatistics statistics = {};
};

template <class T>
struct Conv2dBackwardInputArgs {
  Conv2dShape shape;
  PerRun<const T> weights;
  Images<const T> y_grad;
  Images<T> x_grad;
  int runs;       ///< at most 65535
  MathMode math;  ///< of T = float
  GradientMode x_grad_mode = GradientMode::kOverwrite;
};

template <class T>
struct Conv2dBackwardWeightsArgs {
  Conv2dShape shape;
  Images<const T> x;
  Images<const T> y_grad;
  PerRun<float> weights_grad;  ///< overwritten
  float* workspace;            ///< of conv2d_backward_weights_workspace() bytes; null where that is 0
  int runs;                    ///< at most 65535
  MathMode math;               ///< of T = float
};

/// y[n,o,i,j] = bias[o] + Σ_{k,l,c} weights[o,c,k,l] · x[n, c, i·stride+k−padding, j·stride+l−padding].
/// Queues one kernel, the newest rung of the ladder; throws LaunchError (kernels/simt.h), as the other two
/// do. A weight that is NaN or infinite may reach outputs whose taps meet it on the padding. Statistics,
/// where wanted, are of what is stored; of no pixels none are written. The oldest rung has none.
template <class T>
void conv2d_forward(const Conv2dForwardArgs<T>& args, Stream stream);

/// Bytes, and tickets, for the statistics of these extents and runs.
std::size_t conv2d_statistics_workspace(const Conv2dShape& shape, int runs);
int conv2d_statistics_tickets(const Conv2dShape& shape, int runs);

/// x_grad[n,c,h,w] = Σ weights[o,c,k,l] · y_grad[n,o,i,j] over the o, i, j, k, l that bring forward pixel
/// (h,w) to output (i,j); overwrites x_grad, or adds the finished sum to it, in fp32, rounded once.
template <class T>
void conv2d_backward_input(const Conv2dBackwardInputArgs<T>& args, Stream stream);

/// weights_grad[o,c,k,l] = Σ_{n,i,j} y_grad[n,o,i,j] · x[n, c, i·stride+k−padding, j·stride+l−padding];
/// An empty batch gives zeros. (The gradient of the bias is bias_backward of kernels/pointwise.h.)
template <class T>
void conv2d_backward_weights(const Conv2dBackwardWeightsArgs<T>& args, Stream stream);

/// Bytes that any rung of conv2d_backward_weights needs for these extents and runs.
template <class T>
std::size_t conv2d_backward_weights_workspace(const Conv2dBackwardWeightsArgs<T>& args);

/// The ladders, oldest rung first.
template <class T>
std::span<const KernelVersion<Conv2dForwardArgs<T>>> conv2d_forward_versions();
template <class T>
std::span<const KernelVersion<Conv2dBackwardInputArgs<T>>> conv2d_backward_input_versions();
template <class T>
std::span<const KernelVersion<Conv2dBackwardWeightsArgs<T>>> conv2d_backward_weights_versions();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
