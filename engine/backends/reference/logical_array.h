#pragma once
/// What lets the reference ops be plain loops: a tensor without dtype, layout and run stride.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/tensor.h"

namespace gnc {

/// One run of a tensor as doubles in logical order [N][C][H][W].
class LogicalArray {
 public:
  /// Zeros.
  explicit LogicalArray(const Shape& shape);
  /// Reads run `run` of `tensor`. Throws ShapeError unless it is fp32, fp64 or bf16.
  LogicalArray(const ConstTensor& tensor, int run);
  /// Writes run `run` of `tensor`, rounded to its dtype; padding of blocked layouts becomes zero.
  void store(const Tensor& tensor, int run) const;

  double& operator()(int n, int c = 0, int h = 0, int w = 0) { return values_[index(n, c, h, w)]; }
  double operator()(int n, int c = 0, int h = 0, int w = 0) const { return values_[index(n, c, h, w)]; }
  /// The elements one after another, for ops to which the shape does not matter.
  std::vector<double>& values() { return values_; }
  const std::vector<double>& values() const { return values_; }

 private:
  std::size_t index(int n, int c, int h, int w) const {
    return static_cast<std::size_t>(((n * channels_ + c) * height_ + h) * width_ + w);
  }

  std::int64_t channels_, height_, width_;
  std::vector<double> values_;
};

/// Calls `visit(n, c, h, w)` for every logical element, last index fastest.
template <class Visit>
void for_each_element(const Shape& shape, Visit visit) {
  for (int n = 0; n < shape[0]; ++n)
    for (int c = 0; c < shape[1]; ++c)
      for (int h = 0; h < shape[2]; ++h)
        for (int w = 0; w < shape[3]; ++w) visit(n, c, h, w);
}

}  // namespace gnc
