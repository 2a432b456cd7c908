#pragma once
/// The end of a residual block and the convolution behind it, backward in one op: so that the gradient
/// between the two, which the block's other consumers have a part of, is written once, masked.

#include <string_view>

#include "engine/ops/batch_norm.h"
#include "engine/ops/conv2d.h"
#include "engine/ops/subsample.h"
#include "engine/tensor.h"

namespace gnc {

/// Of z = ReLU(norm(x) + addend) and y = conv(z), where z has other consumers, too: with
///   G[n,c,h,w] = Conv2dBackwardInput(y_grad) + others_grad[n, c + others_first_channel, h/s, w/s],
/// the second term where the stride s of the others divides h and w, the results of BatchNormBackward:
///   g = G where z > 0, else 0,  addend_grad = g,  shift_grad = Σ g,  scale_grad = Σ g·x̂,
///   x_grad = scale·invstd·(g − shift_grad/m − x̂·scale_grad/m).
/// Overwrites all of them. others_grad may be addend_grad where it has all of its pixels and channels. A
/// backend may round G to the dtype of the images on its way, and the convolution's term, or g alone.
///
/// y_grad [N,O,H',W']; weights [O,C,K,K]; x, z, addend_grad and x_grad [N,C,H,W]; others_grad
/// [N,≥C,⌈H/s⌉,⌈W/s⌉]; all others [C]. y_grad and x may be slices of the channels of wider images.
struct BatchNormSumConv2dBackward {
  Conv2dGeometry geometry;
  ConstTensor weights;
  ConstTensor y_grad;
  ConstTensor x;
  ConstTensor scale;
  ConstTensor shift;
  ConstTensor mean;
  ConstTensor invstd;
  ConstTensor z;
  ConstTensor others_grad;
  int others_stride = 1;
  int others_first_channel = 0;
  Tensor addend_grad;
  Tensor x_grad;
  Tensor scale_grad;
  Tensor shift_grad;
  static constexpr std::string_view kName = "BatchNormSumConv2dBackward";
  /// Whether what the others gave lies where addend_grad goes.
  bool is_onto_others() const { return others_grad.raw() == addend_grad.raw(); }
  void check() const;
};

/// The ops that it is: the convolution's, which where is_onto_others() adds to what the others gave; else the
/// one that adds that; and the normalisation's.
Conv2dBackwardInput convolution_of(const BatchNormSumConv2dBackward& op);
SubsampleBackward others_of(const BatchNormSumConv2dBackward& op);
BatchNormBackward normalization_of(const BatchNormSumConv2dBackward& op);

}  // namespace gnc
