#pragma once
/// A batch normalisation and the convolution behind it, backward in one op: so that the gradient between the
/// two, as large as what is normalised, need not be written and read again.

#include <string_view>

#include "engine/ops/batch_norm.h"
#include "engine/ops/batch_norm_shared.h"
#include "engine/ops/conv2d.h"
#include "engine/tensor.h"

namespace gnc {

/// Conv2dBackwardInput and, of the gradient that it gives, the backward pass of the normalisation in front.
///
/// Of one whose channels others normalise too, where the deferred terms are given: BatchNormSharedBackward,
/// with its results, which adds to x_grad. `between` is room for the gradient in between.
/// Of one of its own, without deferred terms and without `between`: BatchNormBackward, with its results,
/// which overwrites x_grad; that has to be all channels of its images, and is the room.
///
/// A backend may leave the room alone or write there. One that writes the gradient in between rounds it to
/// the dtype of the images; one that does not takes it as it is summed, in fp32.
///
/// None of what is written may be y_grad or x, nor may x_grad be `between`.
///
/// y_grad [N,O,H',W']; weights [O,C,K,K]; x, between and x_grad [N,C,H,W]; all others [C]. y_grad, x and, of
/// shared channels, x_grad may be slices of the channels of wider images.
struct BatchNormConv2dBackward {
  Conv2dGeometry geometry;
  ConstTensor weights;
  ConstTensor y_grad;
  ConstTensor x;
  ConstTensor scale;
  ConstTensor shift;
  ConstTensor mean;
  ConstTensor invstd;
  Tensor between = {};
  Tensor x_grad;
  Tensor scale_grad;
  Tensor shift_grad;
  Tensor deferred_mean = {};
  Tensor deferred_tilt = {};
  Activation activation = Activation::kNone;
  GradientMode deferred_mode = GradientMode::kOverwrite;
  static constexpr std::string_view kName = "BatchNormConv2dBackward";
  /// Whether others normalise the channels.
  bool is_shared() const { return static_cast<bool>(deferred_mean); }
  void check() const;
};

/// The two ops that it is: the convolution's, and the one or the other normalisation's.
Conv2dBackwardInput convolution_of(const BatchNormConv2dBackward& op);
BatchNormSharedBackward shared_normalization_of(const BatchNormConv2dBackward& op);
BatchNormBackward own_normalization_of(const BatchNormConv2dBackward& op);

}  // namespace gnc
