#include "engine/ops/batch_norm.h"

#include <cmath>

#include "engine/backends/cpu/batch_norm.h"
#include "engine/backends/cpu/batch_norm_rows.h"
#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::activated;
using cpu::Chunks;
using cpu::chunks_of;
using cpu::Extents;
using cpu::extents_of;
using cpu::for_each_element;
using cpu::given_rows_of;
using cpu::masked;
using cpu::normalized;
using cpu::parallel_for;
using cpu::pass_chunks_of;
using cpu::require_fp32;
using cpu::require_nhwc;
using cpu::Rows;
using cpu::rows_of;

/// y = act((x − mean)·slope + shift + addend), all rows.
struct Normalization {
  Rows<const float> x;
  const float* mean;
  const float* slope;
  const float* shift;
  Rows<const float> addend;  // null: none
  Rows<float> y;
};

template <Activation kActivation>
void normalize(const Extents& extents, const Normalization& map) {
  const Chunks chunks = pass_chunks_of(extents);
  const Rows<const float> x = map.x, addend = map.addend;
  const Rows<float> y = map.y;
  const float *mean = map.mean, *slope = map.slope, *shift = map.shift;
  const auto for_each = [&](const auto& visit) {
    parallel_for(chunks.count(), extents.elements(), [&](std::int64_t i) {
      for_each_element(chunks.begin(i), chunks.end(i), extents.channels, visit);
    });
  };
  if (addend.data != nullptr) {
    for_each([=](std::int64_t r, std::int64_t c) {
      const float value = normalized(x(r, c), mean[c], slope[c], shift[c]);
      y(r, c) = activated<kActivation>(value + addend(r, c));
    });
  } else {
    for_each([=](std::int64_t r, std::int64_t c) {
      y(r, c) = activated<kActivation>(normalized(x(r, c), mean[c], slope[c], shift[c]));
    });
  }
}

void normalize(Activation activation, const Extents& extents, const Normalization& map) {
  if (activation == Activation::kRelu) {
    normalize<Activation::kRelu>(extents, map);
  } else {
    normalize<Activation::kNone>(extents, map);
  }
}

/// scale/√(variance + epsilon) of the running variance, [channels].
void running_slope(const ConstTensor& scale, const ConstTensor& running_variance, float epsilon, int run,
                   float* slope) {
  const float *factor = scale.data<float>(run), *variance = running_variance.data<float>(run);
  for (std::int64_t c = 0; c < scale.shape()[0]; ++c)
    slope[c] = factor[c] * static_cast<float>(1.0 / std::sqrt(double{variance[c]} + double{epsilon}));
}

struct BackwardOperands {
  Rows<const float> x;
  Rows<const float> y_grad;
  const float* mean;
  const float* slope;  // scale·invstd
  const float* shift;
};

/// Per chunk [2][C]: Σ g and Σ g·(x − mean). Calls prepare(begin, end) for its rows before it reads them.
template <Activation kActivation, class Prepare>
void chunk_gradients(const Extents& extents, const Chunks& chunks, const BackwardOperands& in, float* sums,
                     const Prepare& prepare) {
  const std::int64_t channels = extents.channels;
  parallel_for(chunks.count(), extents.elements(), [&](std::int64_t i) {
    prepare(chunks.begin(i), chunks.end(i));
    float* shift_grad = sums + 2 * i * channels;
    float* scale_grad = shift_grad + channels;
    std::fill_n(shift_grad, 2 * channels, 0.0F);
    const auto gradient = [in](std::int64_t row, std::int64_t c) {
      return masked<kActivation>(in.y_grad(row, c),
                                 normalized(in.x(row, c), in.mean[c], in.slope[c], in.shift[c]));
    };
    const auto deviation = [in](std::int64_t row, std::int64_t c) { return in.x(row, c) - in.mean[c]; };
    std::int64_t r = chunks.begin(i);
    for (; r + 2 <= chunks.end(i); r += 2) {
#pragma omp simd
      for (std::int64_t c = 0; c < channels; ++c) {
        const float g0 = gradient(r, c), g1 = gradient(r + 1, c);
        shift_grad[c] += g0 + g1;
        scale_grad[c] += g0 * deviation(r, c) + g1 * deviation(r + 1, c);
      }
    }
    for_each_element(r, chunks.end(i), channels, [=](std::int64_t row, std::int64_t c) {
      const float g = gradient(row, c);
      shift_grad[c] += g;
      scale_grad[c] += g * deviation(row, c);
    });
  });
}

/// x_grad = slope·(g − mean_grad − (x − mean)·tilt), all rows; tilt = invstd·scale_grad/m.
template <Activation kActivation, GradientMode kMode>
void input_gradient(const Extents& extents, const BackwardOperands& in, const float* mean_grad,
                    const float* tilt, Rows<float> x_grad) {
  const Chunks chunks = pass_chunks_of(extents);
  parallel_for(chunks.count(), extents.elements(), [&](std::int64_t i) {
    for_each_element(chunks.begin(i), chunks.end(i), extents.channels, [=](std::int64_t r, std::int64_t c) {
      const float g =
          masked<kActivation>(in.y_grad(r, c), normalized(in.x(r, c), in.mean[c], in.slope[c], in.shift[c]));
      const float gradient =
          cpu::input_gradient(in.slope[c], g, mean_grad[c], in.x(r, c) - in.mean[c], tilt[c]);
      x_grad(r, c) = kMode == GradientMode::kAccumulate ? x_grad(r, c) + gradient : gradient;
    });
  });
}

/// x_grad = slope·g, all rows.
template <Activation kActivation, GradientMode kMode>
void affine_gradient(const Extents& extents, const BackwardOperands& in, Rows<float> x_grad) {
  const Chunks chunks = pass_chunks_of(extents);
  parallel_for(chunks.count(), extents.elements(), [&](std::int64_t i) {
    for_each_element(chunks.begin(i), chunks.end(i), extents.channels, [=](std::int64_t r, std::int64_t c) {
      const float gradient =
          in.slope[c] *
          masked<kActivation>(in.y_grad(r, c), normalized(in.x(r, c), in.mean[c], in.slope[c], in.shift[c]));
      x_grad(r, c) = kMode == GradientMode::kAccumulate ? x_grad(r, c) + gradient : gradient;
    });
  });
}

template <Activation kActivation>
void affine_gradient(GradientMode mode, const Extents& extents, const BackwardOperands& in,
                     Rows<float> x_grad) {
  if (mode == GradientMode::kAccumulate) {
    affine_gradient<kActivation, GradientMode::kAccumulate>(extents, in, x_grad);
  } else {
    affine_gradient<kActivation, GradientMode::kOverwrite>(extents, in, x_grad);
  }
}

/// `gradient` is y_grad, or what `prepare` makes of its rows.
template <Activation kActivation, class Prepare>
void backward(CpuBackend& cpu, const BatchNormBackward& op, const ConstTensor& gradient, int run,
              const Prepare& prepare) {
  const Extents extents = extents_of(op.x.shape());
  const std::int64_t channels = extents.channels;
  const Chunks chunks = chunks_of(extents);
  float* slope = static_cast<float*>(
      cpu.workspace(static_cast<std::size_t>((3 + 2 * chunks.count()) * channels) * sizeof(float)));
  float *mean_grad = slope + channels, *tilt = mean_grad + channels, *sums = tilt + channels;
  const float *scale = op.scale.data<float>(run), *invstd = op.invstd.data<float>(run);
  for (std::int64_t c = 0; c < channels; ++c) slope[c] = scale[c] * invstd[c];
  const BackwardOperands in{rows_of(op.x, run), rows_of(gradient, run), op.mean.data<float>(run), slope,
                            op.shift.data<float>(run)};
  chunk_gradients<kActivation>(extents, chunks, in, sums, prepare);

  cpu::batch_norm_gradients({.sums = sums,
                             .chunks = chunks.count(),
                             .channels = channels,
                             .rows = extents.rows,
                             .invstd = invstd,
                             .scale_grad = op.scale_grad.data<float>(run),
                             .shift_grad = op.shift_grad.data<float>(run),
                             .mean_grad = mean_grad,
                             .tilt = tilt});
  const Rows<float> x_grad = rows_of(op.x_grad, run);
  if (op.x_grad_mode == GradientMode::kAccumulate) {
    input_gradient<kActivation, GradientMode::kAccumulate>(extents, in, mean_grad, tilt, x_grad);
  } else {
    input_gradient<kActivation, GradientMode::kOverwrite>(extents, in, mean_grad, tilt, x_grad);
  }
}

/// Of a forward pass with an addend before its ReLU: the gradient is masked by y, and kept in addend_grad.
void backward_of_sum(CpuBackend& cpu, const BatchNormBackward& op, int run) {
  const Extents extents = extents_of(op.x.shape());
  const Rows<const float> y = rows_of(op.y, run), y_grad = rows_of(op.y_grad, run);
  const Rows<float> addend_grad = rows_of(op.addend_grad, run);
  backward<Activation::kNone>(cpu, op, op.addend_grad, run, [=](std::int64_t begin, std::int64_t end) {
    for_each_element(begin, end, extents.channels, [=](std::int64_t r, std::int64_t c) {
      addend_grad(r, c) = masked<Activation::kRelu>(y_grad(r, c), y(r, c));
    });
  });
}

}  // namespace

void cpu::batch_norm_gradients(const BatchNormGradients& in) {
  const double size = static_cast<double>(in.rows);
  const Chunks groups = cpu::channel_groups(in.channels);
  parallel_for(groups.count(), 2 * in.chunks * in.channels, [&](std::int64_t group) {
    for (std::int64_t c = groups.begin(group); c < groups.end(group); ++c) {
      double sum = 0.0, weighted = 0.0;
      for (std::int64_t i = 0; i < in.chunks; ++i) {
        sum += double{in.sums[2 * i * in.channels + c]};
        weighted += double{in.sums[(2 * i + 1) * in.channels + c]};
      }
      weighted *= double{in.invstd[c]};
      in.shift_grad[c] = static_cast<float>(sum);
      in.scale_grad[c] = static_cast<float>(weighted);
      in.mean_grad[c] = static_cast<float>(sum / size);
      in.tilt[c] = static_cast<float>(weighted * double{in.invstd[c]} / size);
    }
  });
}

cpu::BatchNormAffine cpu::batch_norm_statistics(CpuBackend& cpu, const BatchNormForward& op, int run) {
  const Extents extents = extents_of(op.x.shape());
  const std::int64_t channels = extents.channels;
  const Chunks chunks = chunks_of(extents);
  const double size = static_cast<double>(extents.rows);
  float* slope = static_cast<float*>(
      cpu.workspace(static_cast<std::size_t>((1 + 2 * chunks.count()) * channels) * sizeof(float)));
  float* moments = slope + channels;
  const Rows<const float> x = rows_of(op.x, run);
  const float* scale = op.scale.data<float>(run);
  float *mean = op.mean.data<float>(run), *invstd = op.invstd.data<float>(run);
  const cpu::RunningStatistics running{.mean = op.running_mean.data<float>(run),
                                       .variance = op.running_variance.data<float>(run),
                                       .momentum = double{op.momentum}};
  if (op.variance) {
    const float* variance = op.variance.data<float>(run);
    for (std::int64_t c = 0; c < channels; ++c) {
      slope[c] = scale[c] * invstd[c];
      running.move(c, double{mean[c]}, double{variance[c]} * (size / std::max(size - 1.0, 1.0)));
    }
    return {.x = x.data, .mean = mean, .slope = slope, .shift = op.shift.data<float>(run)};
  }
  cpu::chunk_moments(extents, chunks, x, moments);
  const Chunks groups = cpu::channel_groups(channels);
  parallel_for(groups.count(), 2 * chunks.count() * channels, [&](std::int64_t group) {
    for (std::int64_t c = groups.begin(group); c < groups.end(group); ++c) {
      const cpu::Moments batch = cpu::combined_moments(extents, chunks, moments, c);
      mean[c] = static_cast<float>(batch.mean);
      invstd[c] = static_cast<float>(1.0 / std::sqrt(batch.squares / size + double{op.epsilon}));
      slope[c] = scale[c] * invstd[c];
      running.move(c, batch.mean, batch.squares / std::max(size - 1.0, 1.0));
    }
  });
  return {.x = x.data, .mean = mean, .slope = slope, .shift = op.shift.data<float>(run)};
}

void execute(CpuBackend& cpu, const BatchNormForward& op) {
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}});
  for (int run = 0; run < op.x.runs(); ++run) {
    const cpu::BatchNormAffine affine = cpu::batch_norm_statistics(cpu, op, run);
    normalize(op.activation, extents_of(op.x.shape()),
              {.x = {affine.x, op.x.pixel_pitch()},
               .mean = affine.mean,
               .slope = affine.slope,
               .shift = affine.shift,
               .addend = given_rows_of(op.addend, run),
               .y = rows_of(op.y, run)});
  }
}

void execute(CpuBackend& cpu, const BatchNormApply& op) {
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}});
  const Extents extents = extents_of(op.x.shape());
  float* slope =
      static_cast<float*>(cpu.workspace(static_cast<std::size_t>(extents.channels) * sizeof(float)));
  for (int run = 0; run < op.x.runs(); ++run) {
    const float *scale = op.scale.data<float>(run), *invstd = op.invstd.data<float>(run);
    for (std::int64_t c = 0; c < extents.channels; ++c) slope[c] = scale[c] * invstd[c];
    normalize(op.activation, extents,
              {.x = rows_of(op.x, run),
               .mean = op.mean.data<float>(run),
               .slope = slope,
               .shift = op.shift.data<float>(run),
               .addend = {},
               .y = rows_of(op.y, run)});
  }
}

void execute(CpuBackend& cpu, const BatchNormInference& op) {
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}});
  const Extents extents = extents_of(op.x.shape());
  float* slope =
      static_cast<float*>(cpu.workspace(static_cast<std::size_t>(extents.channels) * sizeof(float)));
  for (int run = 0; run < op.x.runs(); ++run) {
    running_slope(op.scale, op.running_variance, op.epsilon, run, slope);
    normalize(op.activation, extents,
              {.x = rows_of(op.x, run),
               .mean = op.running_mean.data<float>(run),
               .slope = slope,
               .shift = op.shift.data<float>(run),
               .addend = given_rows_of(op.addend, run),
               .y = rows_of(op.y, run)});
  }
}

void execute(CpuBackend& cpu, const BatchNormBackward& op) {
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}});
  const auto as_it_is = [](std::int64_t, std::int64_t) {};
  for (int run = 0; run < op.x.runs(); ++run) {
    if (op.addend_grad) {
      backward_of_sum(cpu, op, run);
    } else if (op.activation == Activation::kRelu) {
      backward<Activation::kRelu>(cpu, op, op.y_grad, run, as_it_is);
    } else {
      backward<Activation::kNone>(cpu, op, op.y_grad, run, as_it_is);
    }
  }
}

void execute(CpuBackend& cpu, const BatchNormInferenceBackward& op) {
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}});
  const Extents extents = extents_of(op.x.shape());
  float* slope =
      static_cast<float*>(cpu.workspace(static_cast<std::size_t>(extents.channels) * sizeof(float)));
  for (int run = 0; run < op.x.runs(); ++run) {
    running_slope(op.scale, op.running_variance, op.epsilon, run, slope);
    const BackwardOperands in{rows_of(op.x, run), rows_of(op.y_grad, run), op.running_mean.data<float>(run),
                              slope, op.shift.data<float>(run)};
    if (op.activation == Activation::kRelu) {
      affine_gradient<Activation::kRelu>(op.x_grad_mode, extents, in, rows_of(op.x_grad, run));
    } else {
      affine_gradient<Activation::kNone>(op.x_grad_mode, extents, in, rows_of(op.x_grad, run));
    }
  }
}

}  // namespace gnc
