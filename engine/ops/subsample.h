#pragma once
/// The parameter-free shortcut of residual networks, "option A" of He, Zhang, Ren, Sun, "Deep residual
/// learning for image recognition" (2016): every stride-th pixel, with channels of zeros around those there
/// are. Images and their gradients have one dtype: fp32, fp64 or bf16.

#include <string_view>

#include "engine/ops/gradient_mode.h"
#include "engine/tensor.h"

namespace gnc {

/// y[n,c,i,j] = x[n, c − first_channel, i·stride, j·stride] where x has that channel, else 0.
/// x [N,C,H,W]; y [N,O,⌈H/stride⌉,⌈W/stride⌉] with O ≥ first_channel + C. y may not be x.
struct SubsampleForward {
  int stride = 1;
  int first_channel = 0;
  ConstTensor x;
  Tensor y;
  static constexpr std::string_view kName = "SubsampleForward";
  void check() const;
};

/// The transpose: x_grad[n,c,h,w] = y_grad[n, c + first_channel, h/stride, w/stride] where the stride divides
/// h and w, else 0. Overwrites, or adds to the gradient that other consumers of x have already given it;
/// x_grad may not be y_grad.
struct SubsampleBackward {
  int stride = 1;
  int first_channel = 0;
  ConstTensor y_grad;
  Tensor x_grad;
  GradientMode x_grad_mode = GradientMode::kOverwrite;
  static constexpr std::string_view kName = "SubsampleBackward";
  void check() const;
};

}  // namespace gnc
