#pragma once
/// ReLU, sums and biases. T is float or Bf16. Run r of an operand starts r times its run stride (in elements)
/// after its pointer; a stride of 0 shares what is read. Runs are at most 65535. All throw LaunchError
/// (kernels/simt.h).

#include <cstddef>
#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

template <class T>
struct ReluForwardArgs {
  const T* x;  ///< [elements]
  T* y;        ///< [elements], may be x
  std::int64_t x_run_stride;
  std::int64_t y_run_stride;
  std::int64_t elements;  ///< of one run
  int runs;
};

/// y = max(x, 0); NaN stays NaN. Queues one kernel.
template <class T>
void relu_forward(const ReluForwardArgs<T>& args, Stream stream);

template <class T>
struct ReluBackwardArgs {
  const T* y;       ///< [elements]
  const T* y_grad;  ///< [elements]
  T* x_grad;        ///< [elements], may be y_grad
  std::int64_t y_run_stride;
  std::int64_t y_grad_run_stride;
  std::int64_t x_grad_run_stride;
  std::int64_t elements;  ///< of one run
  int runs;
};

/// x_grad = y_grad where y > 0, else 0. Queues one kernel.
template <class T>
void relu_backward(const ReluBackwardArgs<T>& args, Stream stream);

template <class T>
struct AddArgs {
  const T* a;  ///< [elements]
  const T* b;  ///< [elements]
  T* y;        ///< [elements], may be a and b
  std::int64_t a_run_stride;
  std::int64_t b_run_stride;
  std::int64_t y_run_stride;
  std::int64_t elements;  ///< of one run
  int runs;
  bool is_cut_off;  ///< max(a + b, 0) instead of the sum
};

/// y = a + b, or max(a + b, 0), taken in fp32 and rounded once; NaN stays NaN. Queues one kernel.
template <class T>
void add(const AddArgs<T>& args, Stream stream);

/// Rows of channels that lie side by side: a linear layer's output, or the pixels of a batch in any order.
struct BiasExtents {
  std::int64_t rows;
  int channels;
  int runs;
};

struct BiasForwardArgs {
  const float* bias;  ///< [channels]
  float* y;           ///< [rows,channels], updated
  std::int64_t bias_run_stride;
  std::int64_t y_run_stride;
  BiasExtents extents;
};

/// y[r,c] += bias[c]. Queues one kernel.
void bias_forward(const BiasForwardArgs& args, Stream stream);

/// Bytes that the workspace of bias_backward has to hold; aligned to a float. 0: none.
std::size_t bias_backward_workspace(const BiasExtents& extents);

template <class T>
struct BiasBackwardArgs {
  const T* y_grad;   ///< [rows,channels]
  float* bias_grad;  ///< [channels], overwritten
  float* workspace;  ///< bias_backward_workspace()
  std::int64_t y_grad_run_stride;
  std::int64_t bias_grad_run_stride;
  BiasExtents extents;
};

/// bias_grad[c] = Σ_r y_grad[r,c]. Queues one kernel, or two where there are more than 1024 rows.
template <class T>
void bias_backward(const BiasBackwardArgs<T>& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
