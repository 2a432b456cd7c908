#pragma once
/// The end of the backward pass of a batch normalisation of shared channels.

#include <cstdint>

#include "kernels/batch_norm_shared.h"
#include "kernels/simt.h"
#include "kernels/tile_tree.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// The gradients of scale and shift of a channel of run blockIdx.y, and what is deferred of theirs, from Σg
/// and Σg·(x − mean).
template <class T>
__device__ void store_shared_gradients(const BatchNormSharedBackwardArgs<T>& args, int channel,
                                       ColumnPair sums) {
  const std::int64_t run = blockIdx.y;
  const double rows = static_cast<double>(args.extents.rows);
  const bool is_added = args.deferred_mode == GradientMode::kAccumulate;
  const double invstd = args.invstd[run * args.invstd_run_stride + channel];
  const double slope = args.scale[run * args.scale_run_stride + channel] * invstd;
  const double scale_grad = sums.second * invstd;
  args.shift_grad[run * args.shift_grad_run_stride + channel] = static_cast<float>(sums.first);
  args.scale_grad[run * args.scale_grad_run_stride + channel] = static_cast<float>(scale_grad);
  float& mean_term = args.deferred_mean[run * args.deferred_mean_run_stride + channel];
  float& tilt_term = args.deferred_tilt[run * args.deferred_tilt_run_stride + channel];
  const double mean_before = is_added ? mean_term : 0, tilt_before = is_added ? tilt_term : 0;
  mean_term = static_cast<float>(mean_before + slope * sums.first / rows);
  tilt_term = static_cast<float>(tilt_before + slope * invstd * scale_grad / rows);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
