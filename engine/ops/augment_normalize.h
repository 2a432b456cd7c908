#pragma once
/// What turns stored pictures into a batch.

#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// Gathers a batch of stored pictures, cuts each out of a black surround, flips some of them left to right
/// and normalises them:
///   y[b,c,h,w] = (pixel / 255) · scale[c,h,w] + offset[c,h,w],
///   pixel = pixels[indices[b], c, h + shifts[b,0], w' + shifts[b,1]],  w' = flips[b] ? W−1−w : w,
/// and 0 where that lies outside of the picture. With scale = 1/std and offset = −mean/std this is crop with
/// black padding, flip, normalise at the destination pixel, in this order, as torchvision's RandomCrop,
/// RandomHorizontalFlip, ToTensor and Normalize do: shifts of −p to p are its padding=p. pixels [M,C,H,W]
/// uint8; indices [B] int32 in [0,M), checked on the host when the batch is made; flips [B] uint8 (0 or 1);
/// shifts [B,2] int32 (rows, columns), of less than 2^30; scale, offset [1,C,H,W]; y [B,C,H,W] fp32, fp64 or
/// bf16, scale and offset fp32 beside bf16. pixels, scale and offset are shared by the runs; indices, flips
/// and shifts may be.
struct AugmentNormalize {
  ConstTensor pixels;
  ConstTensor indices;
  ConstTensor flips;
  ConstTensor shifts;
  ConstTensor scale;
  ConstTensor offset;
  Tensor y;
  static constexpr std::string_view kName = "AugmentNormalize";
  void check() const;
};

}  // namespace gnc
