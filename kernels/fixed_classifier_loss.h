#pragma once
/// The head of the paper's network in one kernel: attached linear layer, fixed classifier, softmax
/// cross-entropy (Eq. (1)) and all gradients.

#include <cstddef>
#include <cstdint>

#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

struct FixedClassifierLossExtents {
  int batch;
  int in_features;
  int feature_dim;
  int classes;
  int runs;  ///< at most 65535
};

/// Run r of an operand starts r times its run stride (in elements) after its pointer; a stride of 0 shares
/// what is read. Nothing written overlaps anything else.
struct FixedClassifierLossArgs {
  const float* x;              ///< [batch,in_features]
  const float* weights;        ///< [feature_dim,in_features]
  const float* bias;           ///< [feature_dim]
  const float* frame;          ///< [classes,feature_dim]
  const std::int32_t* labels;  ///< [batch], each in [0,classes): the caller has checked
  float* losses;               ///< [batch]
  float* x_grad;               ///< [batch,in_features]
  float* weights_grad;         ///< [feature_dim,in_features]
  float* bias_grad;            ///< [feature_dim]
  float* workspace;            ///< fixed_classifier_loss_workspace(), aligned to 16 bytes
  int* tickets;  ///< fixed_classifier_loss_tickets(); zero before the launch, and again after it
  std::int64_t x_run_stride;
  std::int64_t weights_run_stride;
  std::int64_t bias_run_stride;
  std::int64_t frame_run_stride;
  std::int64_t labels_run_stride;
  std::int64_t losses_run_stride;
  std::int64_t x_grad_run_stride;
  std::int64_t weights_grad_run_stride;
  std::int64_t bias_grad_run_stride;
  FixedClassifierLossExtents extents;
};

/// Whether the kernel takes the job: feature_dim <= 64, classes <= 128 (what it keeps in shared memory), and
/// batch <= 1024. It computes in fp32 whatever the setting of --precision.
bool fixed_classifier_loss_accepts(const FixedClassifierLossExtents& extents);
/// Bytes of the workspace; contents before and after do not matter.
std::size_t fixed_classifier_loss_workspace(const FixedClassifierLossExtents& extents);
/// Counters that the launch needs. Two launches at a time need two sets; one after another, as on a stream
/// or in a replayed graph, share one.
int fixed_classifier_loss_tickets(const FixedClassifierLossExtents& extents);

/// features = x·weightsᵀ + bias, logits = features·frameᵀ, losses[b] = −log softmax(logits[b])[labels[b]],
/// and the gradients of their mean. A NaN or +∞ logit gives a NaN loss. Queues one kernel; throws LaunchError
/// (kernels/simt.h).
void fixed_classifier_loss(const FixedClassifierLossArgs& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
