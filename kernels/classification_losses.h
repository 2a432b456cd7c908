#pragma once
/// Losses of logits beside plain cross-entropy, with gradients and predictions.

#include "kernels/cross_entropy.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// What the three take beside their parameter lies as for cross_entropy(). Each queues one kernel and throws
/// LaunchError (kernels/simt.h); engine/ops says what they compute and what becomes of extreme logits.
using ClassificationLossArgs = CrossEntropyArgs;

/// Cross-entropy with targets (1−smoothing)·onehot + smoothing/classes.
void smoothed_cross_entropy(const ClassificationLossArgs& args, float smoothing, Stream stream);

/// losses[b] = mean over the classes of (logits[b,c] − onehot)².
void squared_error(const ClassificationLossArgs& args, Stream stream);

/// losses[b] = −(1−p)^focusing·log p, p the softmax of the label.
void focal_loss(const ClassificationLossArgs& args, float focusing, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
