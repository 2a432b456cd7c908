#pragma once
/// Element-by-element ops: ReLU, the linear layer's bias, change of layout, and what turns stored pictures
/// into a batch.

#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// y = max(x, 0); NaN stays NaN. Any shape; fp32, fp64 or bf16; y may be x.
struct ReluForward {
  ConstTensor x;
  Tensor y;
  static constexpr std::string_view kName = "ReluForward";
  void check() const;
};

/// x_grad = y_grad where y > 0, else 0. All fp32, fp64 or bf16. x_grad may be y_grad.
struct ReluBackward {
  ConstTensor y;
  ConstTensor y_grad;
  Tensor x_grad;
  static constexpr std::string_view kName = "ReluBackward";
  void check() const;
};

/// y[n,o] += bias[o]. y [N,O] row-major; both fp32, or both fp64.
struct BiasForward {
  ConstTensor bias;
  Tensor y;
  static constexpr std::string_view kName = "BiasForward";
  void check() const;
};

/// bias_grad[o] = Σ_n y_grad[n,o]. Both fp32, or both fp64. Overwrites.
struct BiasBackward {
  ConstTensor y_grad;
  Tensor bias_grad;
  static constexpr std::string_view kName = "BiasBackward";
  void check() const;
};

/// y = x in the layout and dtype of y; padding of blocked layouts (reference and cpu only) becomes zero. Same
/// shape. The dtypes are the same (any), or two of fp32, fp64 (reference only) and bf16; towards the narrower
/// one numbers are rounded to nearest, ties to even, once.
struct ConvertLayout {
  ConstTensor x;
  Tensor y;
  static constexpr std::string_view kName = "ConvertLayout";
  void check() const;
};

/// Gathers a batch of stored pictures, flips some of them left to right and normalises them:
///   y[b,c,h,w] = (pixels[indices[b], c, h, w'] / 255) · scale[c,h,w] + offset[c,h,w],  w' = flips[b] ? W−1−w
///   : w.
/// With scale = 1/std and offset = −mean/std this is flip, then normalise at the destination pixel, as
/// torchvision's transforms do. pixels [M,C,H,W] uint8; indices [B] int32 in [0,M), checked on the host when
/// the batch is made; flips [B] uint8 (0 or 1); scale, offset [1,C,H,W]; y [B,C,H,W] fp32, fp64 or bf16,
/// scale and offset fp32 beside bf16. pixels, scale and offset are shared by the runs; indices and flips may
/// be.
struct NormalizeFlip {
  ConstTensor pixels;
  ConstTensor indices;
  ConstTensor flips;
  ConstTensor scale;
  ConstTensor offset;
  Tensor y;
  static constexpr std::string_view kName = "NormalizeFlip";
  void check() const;
};

}  // namespace gnc
