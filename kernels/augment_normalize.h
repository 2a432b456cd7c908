#pragma once
/// From stored pictures to a batch: gather, shift, flip, normalise.

#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/image.h"
#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// T is float or Bf16. Pictures, normalisation and batch have their channels side by side. The pictures and
/// the normalisation are shared by the runs; run r of the others starts r times its run stride (in elements)
/// after its pointer.
template <class T>
struct AugmentNormalizeArgs {
  const std::uint8_t* pixels;   ///< [M,C,H,W], in pixels_strides
  const std::int32_t* indices;  ///< [B], each in [0,M): the caller has checked
  const std::uint8_t* flips;    ///< [B], 0 or 1
  const std::int32_t* shifts;   ///< [B,2]: rows, columns
  const float* scale;           ///< [1,C,H,W], in normalization_strides
  const float* offset;          ///< [1,C,H,W], in normalization_strides
  T* y;                         ///< [B,C,H,W], in y_strides
  ImageStrides pixels_strides;
  ImageStrides normalization_strides;  ///< n is not used
  ImageStrides y_strides;
  std::int64_t indices_run_stride;  ///< 0: shared by the runs
  std::int64_t flips_run_stride;    ///< 0: shared by the runs
  std::int64_t shifts_run_stride;   ///< 0: shared by the runs
  std::int64_t y_run_stride;
  int batch;  ///< B
  int channels;
  int height;
  int width;
  int runs;  ///< at most 65535
};

/// y[b,c,h,w] = p/255 · scale[c,h,w] + offset[c,h,w] with p = pixels[indices[b], c, h + shifts[b,0],
/// w' + shifts[b,1]], w' = w or, where flips[b] is set, W−1−w; p = 0 outside of the picture. Queues one
/// kernel; throws LaunchError (kernels/simt.h).
template <class T>
void augment_normalize(const AugmentNormalizeArgs<T>& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
