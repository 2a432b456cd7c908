#include "engine/ops/augment_normalize.h"

#include <algorithm>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

/// One line of a picture, or of the normalisation, in NHWC.
struct Line {
  const std::uint8_t* pixels;  ///< of the stored picture
  const float* scale;
  const float* offset;
  std::int64_t width;
  std::int64_t channels;
};

/// y = pixel/255 · scale + offset with the pixel `shift` columns to the right, black beyond the ends.
void write_line(const Line& line, std::int64_t shift, float* y) {
  const std::int64_t channels = line.channels, elements = line.width * channels;
  const std::int64_t first = std::clamp<std::int64_t>(-shift, 0, line.width) * channels;
  const std::int64_t last = std::clamp<std::int64_t>(line.width - shift, 0, line.width) * channels;
  std::copy(line.offset, line.offset + first, y);
  const std::int64_t source = shift * channels;  // added to the index: no pointer outside of the picture
#pragma omp simd
  for (std::int64_t i = first; i < last; ++i)
    y[i] = static_cast<float>(line.pixels[i + source]) / 255.0F * line.scale[i] + line.offset[i];
  std::copy(line.offset + last, line.offset + elements, y + last);
}

/// The same of the line flipped: pixel W−1−w + shift.
void write_flipped_line(const Line& line, std::int64_t shift, float* y) {
  for (std::int64_t w = 0; w < line.width; ++w) {
    const std::int64_t column = line.width - 1 - w + shift;
    const bool is_inside = column >= 0 && column < line.width;
    for (std::int64_t c = 0; c < line.channels; ++c) {
      const std::int64_t i = w * line.channels + c;
      const float pixel =
          is_inside ? static_cast<float>(line.pixels[column * line.channels + c]) / 255.0F : 0.0F;
      y[i] = pixel * line.scale[i] + line.offset[i];
    }
  }
}

}  // namespace

void execute(CpuBackend& cpu, const AugmentNormalize& op) {
  static_cast<void>(cpu);
  cpu::require_fp32(op.kName, {{"y", op.y}});
  cpu::require_nhwc(op.kName,
                    {{"pixels", op.pixels}, {"scale", op.scale}, {"offset", op.offset}, {"y", op.y}});
  const Shape& shape = op.y.shape();
  const std::int64_t channels = shape[1], height = shape[2], width = shape[3];
  const std::int64_t line = width * channels, image = height * line;
  for (int run = 0; run < op.y.runs(); ++run) {
    const std::uint8_t *pixels = op.pixels.data<std::uint8_t>(run), *flips = op.flips.data<std::uint8_t>(run);
    const std::int32_t *indices = op.indices.data<std::int32_t>(run),
                       *shifts = op.shifts.data<std::int32_t>(run);
    const float *scale = op.scale.data<float>(run), *offset = op.offset.data<float>(run);
    float* y = op.y.data<float>(run);
    cpu::parallel_for(shape[0], shape.elements(), [&](std::int64_t b) {
      for (std::int64_t h = 0; h < height; ++h) {
        const std::int64_t row = h + shifts[2 * b];
        float* to = y + b * image + h * line;
        if (row < 0 || row >= height) {
          std::copy(offset + h * line, offset + (h + 1) * line, to);
          continue;
        }
        const Line from{.pixels = pixels + indices[b] * image + row * line,
                        .scale = scale + h * line,
                        .offset = offset + h * line,
                        .width = width,
                        .channels = channels};
        if (flips[b] == 0)
          write_line(from, shifts[2 * b + 1], to);
        else
          write_flipped_line(from, shifts[2 * b + 1], to);
      }
    });
  }
}

}  // namespace gnc
