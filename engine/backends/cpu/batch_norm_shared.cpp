#include "engine/ops/batch_norm_shared.h"

#include <cmath>

#include "engine/backends/cpu/batch_norm.h"
#include "engine/backends/cpu/batch_norm_rows.h"
#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::Chunks;
using cpu::Extents;
using cpu::parallel_for;
using cpu::Rows;
using cpu::rows_of;

void require_images(std::string_view op, const ConstTensor& x) {
  cpu::require_fp32(op, {{"x", x}});
  cpu::require_nhwc(op, {{"x", x}});
}

struct BackwardOperands {
  Rows<const float> x;
  Rows<const float> y_grad;
  Rows<float> x_grad;
  const float* mean;
  const float* slope;  // scale·invstd
  const float* shift;
};

/// x_grad += slope·g, and per chunk [2][C]: Σ g and Σ g·(x − mean).
template <Activation kActivation>
void add_gradients(const Extents& extents, const Chunks& chunks, const BackwardOperands& in, float* sums) {
  const std::int64_t channels = extents.channels;
  parallel_for(chunks.count(), extents.elements(), [&](std::int64_t i) {
    float* shift_grad = sums + 2 * i * channels;
    float* scale_grad = shift_grad + channels;
    std::fill_n(shift_grad, 2 * channels, 0.0F);
    const auto gradient_of = [in](std::int64_t r, std::int64_t c) {
      const float g = cpu::masked<kActivation>(
          in.y_grad(r, c), cpu::normalized(in.x(r, c), in.mean[c], in.slope[c], in.shift[c]));
      in.x_grad(r, c) += in.slope[c] * g;
      return g;
    };
    const auto deviation = [in](std::int64_t r, std::int64_t c) { return in.x(r, c) - in.mean[c]; };
    std::int64_t r = chunks.begin(i);
    for (; r + 2 <= chunks.end(i); r += 2) {
#pragma omp simd
      for (std::int64_t c = 0; c < channels; ++c) {
        const float g0 = gradient_of(r, c), g1 = gradient_of(r + 1, c);
        shift_grad[c] += g0 + g1;
        scale_grad[c] += g0 * deviation(r, c) + g1 * deviation(r + 1, c);
      }
    }
    cpu::for_each_element(r, chunks.end(i), channels, [=](std::int64_t row, std::int64_t c) {
      const float g = gradient_of(row, c);
      shift_grad[c] += g;
      scale_grad[c] += g * deviation(row, c);
    });
  });
}

}  // namespace

void execute(CpuBackend& cpu, const BatchNormStatistics& op) {
  require_images(op.kName, op.x);
  const Extents extents = cpu::extents_of(op.x.shape());
  const Chunks chunks = cpu::chunks_of(extents), groups = cpu::channel_groups(extents.channels);
  const double size = static_cast<double>(extents.rows);
  float* moments = static_cast<float*>(
      cpu.workspace(static_cast<std::size_t>(2 * chunks.count() * extents.channels) * sizeof(float)));
  for (int run = 0; run < op.x.runs(); ++run) {
    cpu::chunk_moments(extents, chunks, rows_of(op.x, run), moments);
    float *mean = op.mean.data<float>(run), *variance = op.variance.data<float>(run),
          *invstd = op.invstd.data<float>(run);
    parallel_for(groups.count(), 2 * chunks.count() * extents.channels, [&](std::int64_t group) {
      for (std::int64_t c = groups.begin(group); c < groups.end(group); ++c) {
        const cpu::Moments batch = cpu::combined_moments(extents, chunks, moments, c);
        mean[c] = static_cast<float>(batch.mean);
        variance[c] = static_cast<float>(batch.squares / size);
        invstd[c] = static_cast<float>(1.0 / std::sqrt(batch.squares / size + double{op.epsilon}));
      }
    });
  }
}

void execute(CpuBackend& cpu, const BatchNormSharedBackward& op) {
  require_images(op.kName, op.x);
  const Extents extents = cpu::extents_of(op.x.shape());
  const Chunks chunks = cpu::chunks_of(extents);
  const std::int64_t channels = extents.channels;
  float* slope = static_cast<float*>(
      cpu.workspace(static_cast<std::size_t>((3 + 2 * chunks.count()) * channels) * sizeof(float)));
  float *mean_grad = slope + channels, *tilt = mean_grad + channels, *sums = tilt + channels;
  const bool is_added = op.deferred_mode == GradientMode::kAccumulate;
  for (int run = 0; run < op.x.runs(); ++run) {
    const float *scale = op.scale.data<float>(run), *invstd = op.invstd.data<float>(run);
    for (std::int64_t c = 0; c < channels; ++c) slope[c] = scale[c] * invstd[c];
    const BackwardOperands in{rows_of(op.x, run),
                              rows_of(op.y_grad, run),
                              rows_of(op.x_grad, run),
                              op.mean.data<float>(run),
                              slope,
                              op.shift.data<float>(run)};
    if (op.activation == Activation::kRelu) {
      add_gradients<Activation::kRelu>(extents, chunks, in, sums);
    } else {
      add_gradients<Activation::kNone>(extents, chunks, in, sums);
    }
    cpu::batch_norm_gradients({.sums = sums,
                               .chunks = chunks.count(),
                               .channels = channels,
                               .rows = extents.rows,
                               .invstd = invstd,
                               .scale_grad = op.scale_grad.data<float>(run),
                               .shift_grad = op.shift_grad.data<float>(run),
                               .mean_grad = mean_grad,
                               .tilt = tilt});
    float *mean_term = op.deferred_mean.data<float>(run), *tilt_term = op.deferred_tilt.data<float>(run);
    for (std::int64_t c = 0; c < channels; ++c) {
      mean_term[c] = (is_added ? mean_term[c] : 0.0F) + slope[c] * mean_grad[c];
      tilt_term[c] = (is_added ? tilt_term[c] : 0.0F) + slope[c] * tilt[c];
    }
  }
}

void execute(CpuBackend&, const BatchNormSharedFinish& op) {
  require_images(op.kName, op.x);
  const Extents extents = cpu::extents_of(op.x.shape());
  const Chunks chunks = cpu::pass_chunks_of(extents);
  for (int run = 0; run < op.x.runs(); ++run) {
    const Rows<const float> x = rows_of(op.x, run);
    const Rows<float> x_grad = rows_of(op.x_grad, run);
    const float *mean = op.mean.data<float>(run), *mean_term = op.deferred_mean.data<float>(run),
                *tilt_term = op.deferred_tilt.data<float>(run);
    parallel_for(chunks.count(), extents.elements(), [&](std::int64_t i) {
      cpu::for_each_element(chunks.begin(i), chunks.end(i), extents.channels,
                            [=](std::int64_t r, std::int64_t c) {
                              x_grad(r, c) -= mean_term[c] + (x(r, c) - mean[c]) * tilt_term[c];
                            });
    });
  }
}

}  // namespace gnc
