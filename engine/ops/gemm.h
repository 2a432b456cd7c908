#pragma once
/// General matrix product: linear layers, logits and their gradients.

#include <string_view>

#include "engine/tensor.h"

namespace gnc {

enum class Transpose : std::uint8_t { kNo, kYes };

/// c = op(a)·op(b), overwritten. op(a) [M,K], op(b) [K,N], c [M,N], all row-major; a is stored [M,K], or
/// [K,M] when `transpose_a` is kYes, and b likewise. All fp32, or all fp64. c may not overlap a or
/// b.
struct Gemm {
  ConstTensor a;
  ConstTensor b;
  Tensor c;
  Transpose transpose_a = Transpose::kNo;
  Transpose transpose_b = Transpose::kNo;
  static constexpr std::string_view kName = "Gemm";

  int rows() const { return c.shape()[0]; }                                        // M
  int columns() const { return c.shape()[1]; }                                     // N
  int depth() const { return a.shape()[transpose_a == Transpose::kYes ? 0 : 1]; }  // K
  void check() const;
};

}  // namespace gnc
