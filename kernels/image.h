#pragma once
/// Where the pixels of a batch of images lie.

#include <cstdint>

namespace gnc::kernels {

/// Strides in elements: pixel (n,h,w) starts at n·n_stride + h·h_stride + w·w_stride, and its channels lie
/// side by side. So one kernel serves every order of the other three extents (NHWC, HWNC, …).
struct ImageStrides {
  std::int64_t n;
  std::int64_t h;
  std::int64_t w;
};

}  // namespace gnc::kernels
