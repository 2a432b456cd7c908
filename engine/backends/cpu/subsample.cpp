#include "engine/ops/subsample.h"

#include <algorithm>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {

using cpu::parallel_for;
using cpu::require_fp32;
using cpu::require_nhwc;

void execute(CpuBackend& cpu, const SubsampleForward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"y", op.y}});
  require_nhwc(op.kName, {{"x", op.x}, {"y", op.y}});
  const Shape &from = op.x.shape(), &to = op.y.shape();
  const std::int64_t line = std::int64_t{from[3]} * from[1], lines = std::int64_t{to[0]} * to[2];
  for (int run = 0; run < op.y.runs(); ++run) {
    const float* x = op.x.data<float>(run);
    float* y = op.y.data<float>(run);
    parallel_for(lines, to.elements(), [&](std::int64_t i) {
      const std::int64_t image = i / to[2], row = i % to[2] * op.stride;
      const float* pixel = x + (image * from[2] + row) * line;
      float* channels = y + i * to[3] * to[1];
      for (int column = 0; column < to[3]; ++column, pixel += op.stride * from[1], channels += to[1]) {
        float* copied = std::fill_n(channels, op.first_channel, 0.0F);
        std::fill(std::copy_n(pixel, from[1], copied), channels + to[1], 0.0F);
      }
    });
  }
}

void execute(CpuBackend& cpu, const SubsampleBackward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"x_grad", op.x_grad}});
  require_nhwc(op.kName, {{"y_grad", op.y_grad}, {"x_grad", op.x_grad}});
  const Shape &from = op.y_grad.shape(), &to = op.x_grad.shape();
  const std::int64_t line = std::int64_t{to[3]} * to[1], lines = std::int64_t{to[0]} * to[2];
  const bool accumulates = op.x_grad_mode == GradientMode::kAccumulate;
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const float* y_grad = op.y_grad.data<float>(run);
    float* x_grad = op.x_grad.data<float>(run);
    parallel_for(lines, to.elements(), [&](std::int64_t i) {
      const std::int64_t image = i / to[2], row = i % to[2];
      float* channels = x_grad + i * line;
      if (!accumulates) std::fill_n(channels, line, 0.0F);
      if (row % op.stride != 0) return;
      const float* pixel =
          y_grad + (image * from[2] + row / op.stride) * from[3] * from[1] + op.first_channel;
      for (int column = 0; column < from[3]; ++column, pixel += from[1], channels += op.stride * to[1])
        for (int c = 0; c < to[1]; ++c) channels[c] = accumulates ? channels[c] + pixel[c] : pixel[c];
    });
  }
}

}  // namespace gnc
