#pragma once
/// Softmax cross-entropy, Eq. (1), with its gradient and the predictions.

#include <cstdint>
#include <span>

#include "kernels/stream.h"
#include "kernels/versions.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Run r of an operand starts r times its run stride (in elements) after its pointer.
struct CrossEntropyArgs {
  const float* logits;         ///< [batch,classes]
  const std::int32_t* labels;  ///< [batch], each in [0,classes): the caller has checked
  float* losses;               ///< [batch]
  float* logits_grad;          ///< [batch,classes] or null; may be logits
  std::int32_t* predictions;   ///< [batch] or null
  std::int64_t logits_run_stride;
  std::int64_t labels_run_stride;  ///< 0: shared by the runs
  std::int64_t losses_run_stride;
  std::int64_t logits_grad_run_stride;
  std::int64_t predictions_run_stride;
  int batch;
  int classes;
  int runs;  ///< at most 65535
};

/// losses[b] = −log softmax(logits[b])[labels[b]]; logits_grad[b,c] = (softmax(logits[b])[c] − [c =
/// labels[b]]) / batch; predictions[b] = the first largest logit. A NaN or +∞ logit gives a NaN loss. Queues
/// one kernel; throws LaunchError (kernels/simt.h).
void cross_entropy(const CrossEntropyArgs& args, Stream stream);

/// The ladder, from the bottom up.
std::span<const KernelVersion<CrossEntropyArgs>> cross_entropy_versions();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
