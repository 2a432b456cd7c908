#pragma once
/// Rows scaled to one norm, and the gradient of that: features on a sphere.

#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// Rows of at most this norm count as zero (the ε of torch.nn.functional.normalize).
inline constexpr double kZeroRowNorm = 1e-12;

/// y[n] = norm·x[n]/‖x[n]‖. A row with ‖x[n]‖ <= kZeroRowNorm has no direction: its y is 0, and so is its
/// gradient. x, y [N,D] row-major, fp32 or both fp64. A row whose norm is not finite (fp32: entries from
/// 1.8e19 on, NaN) becomes NaN as a whole. y may be x.
struct NormalizeRowsForward {
  ConstTensor x;
  Tensor y;
  float norm = 1;
  static constexpr std::string_view kName = "NormalizeRowsForward";
  void check() const;
};

/// x_grad[n] = norm/‖x[n]‖ · (y_grad[n] − u⟨u, y_grad[n]⟩) with u = x[n]/‖x[n]‖: the part of the gradient
/// that is tangent to the sphere. Operands [N,D], as above; x_grad may be y_grad.
struct NormalizeRowsBackward {
  ConstTensor x;
  ConstTensor y_grad;
  Tensor x_grad;
  float norm = 1;
  static constexpr std::string_view kName = "NormalizeRowsBackward";
  void check() const;
};

}  // namespace gnc
