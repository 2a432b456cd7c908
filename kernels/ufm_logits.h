#pragma once
/// The unconstrained feature model in bfloat16: from the iterates to the gradients of their logits.

#include <cstdint>
#include <span>

#include "kernels/bfloat16.h"
#include "kernels/stream.h"
#include "kernels/ufm_step.h"
#include "kernels/versions.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Rounded iterates, padded as kernels/ufm_step.h says; rows one after another.
struct UfmLogitsArgs {
  const Bf16* features;    ///< [samples,dim], samples those of the gradient
  const Bf16* classifier;  ///< [columns,dim], columns those of the gradient
  std::int64_t features_run_stride;
  std::int64_t classifier_run_stride;
  int dim;
  float* logits;  ///< as the gradient's: room for them, of unspecified contents afterwards
  UfmGradientArgs<float, Bf16> gradient;
};

/// Logits features·classifierᵀ in fp32, and what ufm_gradient() makes of them. The newest rung that suits:
/// queues one kernel or two; throws LaunchError (kernels/simt.h).
void ufm_logits(const UfmLogitsArgs& args, Stream stream);

/// The ladder, oldest rung first. All have the same logits; v3 adds up their exponentials in another order.
std::span<const KernelVersion<UfmLogitsArgs>> ufm_logits_versions();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
