#pragma once
/// What kernels that pool share: where pixels are, and the largest of some.

#include <cstdint>

#include "kernels/image.h"
#include "kernels/pack.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

__device__ inline std::int64_t offset_of(const ImageStrides& strides, int n, int h, int w) {
  return n * strides.n + h * strides.h + w * strides.w;
}

/// The largest so far of N channels, and where it was.
template <int N>
struct Largest {
  Floats<N> values;
  Pack<int, N> places;

  /// `first` is the place of the first pixel to come: it wins over nothing at all, even where it is −∞.
  __device__ explicit Largest(int first) {
    for (int c = 0; c < N; ++c) {
      values[c] = -INFINITY;
      places[c] = first;
    }
  }

  __device__ void take(const Floats<N>& candidates, int place) {
    for (int c = 0; c < N; ++c) {
      // NaN is not at most anything; and once it has won, nothing is larger.
      const bool is_larger = !(candidates[c] <= values[c]) && values[c] == values[c];
      values[c] = is_larger ? candidates[c] : values[c];
      places[c] = is_larger ? place : places[c];
    }
  }
};

/// Whether all pixels of images of T with these strides start at packs.
template <int N, class T>
bool images_hold_packs(const T* images, const ImageStrides& strides, std::int64_t run_stride) {
  return holds_packs<N>(images, {strides.n, strides.h, strides.w, run_stride});
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
