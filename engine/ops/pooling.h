#pragma once
/// Maximum and average pooling over square windows. Images and their gradients have one dtype: fp32, fp64 or
/// bf16; sums are accumulated in fp32 or better and rounded once.

#include <string_view>

#include "engine/ops/conv2d.h"
#include "engine/tensor.h"

namespace gnc {

/// y[n,c,i,j] = max of x over the window (padding never wins). `winner` [N,C,H',W'] uint8 in y's layout
/// receives the place k·kernel+l of the first maximum in row-major order of the window; not given = not
/// stored. NaN wins. x [N,C,H,W]; y [N,C,H',W']. kernel ≤ 16 where winners are stored; padding ≤ kernel/2.
struct MaxPoolForward {
  Conv2dGeometry geometry;
  ConstTensor x;
  Tensor y;
  Tensor winner = {};
  static constexpr std::string_view kName = "MaxPoolForward";
  void check() const;
};

/// Routes y_grad to the winners; x_grad is overwritten (zero elsewhere; sums where windows overlap).
struct MaxPoolBackward {
  Conv2dGeometry geometry;
  ConstTensor y_grad;
  ConstTensor winner;
  Tensor x_grad;
  static constexpr std::string_view kName = "MaxPoolBackward";
  void check() const;
};

/// y = mean over the window; padding counts as zeros and is counted (PyTorch's count_include_pad). A kernel
/// as large as the image is global average pooling.
struct AveragePoolForward {
  Conv2dGeometry geometry;
  ConstTensor x;
  Tensor y;
  static constexpr std::string_view kName = "AveragePoolForward";
  void check() const;
};

/// Spreads y_grad / kernel² over each window; x_grad is overwritten.
struct AveragePoolBackward {
  Conv2dGeometry geometry;
  ConstTensor y_grad;
  Tensor x_grad;
  static constexpr std::string_view kName = "AveragePoolBackward";
  void check() const;
};

}  // namespace gnc
