#pragma once
/// The end of the backward pass of a batch normalisation of shared channels.

#include <cstdint>

#include "kernels/batch_norm.cuh"
#include "kernels/batch_norm_shared.h"
#include "kernels/columns.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// The gradients of scale and shift of the thread's channels, and what is deferred of theirs, from the sums
/// of the chunks in the workspace. Called by all threads of a block of columns (kernels/columns.cuh).
template <int N, class T>
__device__ void finish_channels(const BatchNormSharedBackwardArgs<T>& args, const RowChunks& chunks,
                                const FinishShare& share) {
  const std::int64_t run = blockIdx.y;
  const BatchGradientSums<N> sums = gradient_sums_of_chunks<N>(share, chunks, args.workspace);
  if (!share.is_inside || threadIdx.y != 0) return;
  const double rows = static_cast<double>(chunks.rows);
  const bool is_added = args.deferred_mode == GradientMode::kAccumulate;
  for (int i = 0; i < N; ++i) {
    const std::int64_t channel = share.channel + i;
    const double invstd = args.invstd[run * args.invstd_run_stride + channel];
    const double slope = args.scale[run * args.scale_run_stride + channel] * invstd;
    const double scale_grad = sums.scale[i] * invstd;
    args.shift_grad[run * args.shift_grad_run_stride + channel] = static_cast<float>(sums.shift[i]);
    args.scale_grad[run * args.scale_grad_run_stride + channel] = static_cast<float>(scale_grad);
    float& mean_term = args.deferred_mean[run * args.deferred_mean_run_stride + channel];
    float& tilt_term = args.deferred_tilt[run * args.deferred_tilt_run_stride + channel];
    const double mean_before = is_added ? mean_term : 0, tilt_before = is_added ? tilt_term : 0;
    mean_term = static_cast<float>(mean_before + slope * sums.shift[i] / rows);
    tilt_term = static_cast<float>(tilt_before + slope * invstd * scale_grad / rows);
  }
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
