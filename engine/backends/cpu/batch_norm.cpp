#include "engine/ops/batch_norm.h"

#include <cmath>

#include "engine/backends/cpu/batch_norm.h"
#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

// Images lie as rows of channels. Every pass walks over chunks of rows that fit a core's cache, channels
// innermost, so that the compiler vectorises over channels and no sum is ever reassociated. Sums of a chunk
// are fp32; chunks are put together in double, in their order.

namespace gnc {
namespace {

using cpu::activated;
using cpu::Chunks;
using cpu::masked;
using cpu::normalized;
using cpu::parallel_for;
using cpu::require_fp32;
using cpu::require_nhwc;

/// One run of a batch of images as a matrix [rows, channels].
struct Extents {
  std::int64_t rows;  // pixels of the batch
  std::int64_t channels;
  std::int64_t elements() const { return rows * channels; }
};

Extents extents_of(const Shape& x) { return {std::int64_t{x[0]} * x[2] * x[3], x[1]}; }

/// Rows of a chunk: 32 KiB of floats, a core's first-level cache, so that the second pass over a chunk costs
/// no memory traffic; at least 64 rows, so that the partial sums stay few beside the data, and at most 512,
/// so that fp32 sums stay short.
Chunks chunks_of(const Extents& extents) {
  constexpr std::int64_t kElements = 8192;
  return {extents.rows, std::clamp<std::int64_t>(kElements / extents.channels, 64, 512)};
}

/// Chunks for passes without sums.
Chunks pass_chunks_of(const Extents& extents) {
  return {extents.rows, std::max<std::int64_t>(1, 16384 / extents.channels)};
}

/// Channels of one task when partial sums are put together.
Chunks channel_groups(std::int64_t channels) { return {channels, 16}; }

/// The rows of a matrix; of a slice of channels they are further apart than they are long.
template <class Float>
struct Rows {
  Float* data;
  std::int64_t pitch;
  Float& operator()(std::int64_t r, std::int64_t c) const { return data[r * pitch + c]; }
};

Rows<const float> rows_of(const ConstTensor& tensor, int run) {
  return {tensor.data<float>(run), tensor.pixel_pitch()};
}
Rows<float> rows_of(const Tensor& tensor, int run) { return {tensor.data<float>(run), tensor.pixel_pitch()}; }

/// Those of an operand that may be missing: then their data are null.
template <class Operand>
auto given_rows_of(const Operand& operand, int run) {
  return operand ? rows_of(operand, run) : decltype(rows_of(operand, run)){};
}

/// Calls visit(r, c) for every element of rows [begin, end).
template <class Visit>
inline void for_each_element(std::int64_t begin, std::int64_t end, std::int64_t channels,
                             const Visit& visit) {
  for (std::int64_t r = begin; r < end; ++r) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) visit(r, c);
  }
}

/// sums[c] += Σ term(r, c) over rows [begin, end).
template <class Term>
inline void add_rows(std::int64_t begin, std::int64_t end, std::int64_t channels, float* sums,
                     const Term& term) {
  std::int64_t r = begin;
  for (; r + 4 <= end; r += 4) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c)
      sums[c] += (term(r, c) + term(r + 1, c)) + (term(r + 2, c) + term(r + 3, c));
  }
  for_each_element(r, end, channels, [=](std::int64_t row, std::int64_t c) { sums[c] += term(row, c); });
}

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

/// Per chunk [2][C]: the chunk's mean and its sum of squared deviations from that mean.
void chunk_moments(const Extents& extents, const Chunks& chunks, Rows<const float> x, float* moments) {
  const std::int64_t channels = extents.channels;
  parallel_for(chunks.count(), extents.elements(), [&](std::int64_t i) {
    float* mean = moments + 2 * i * channels;
    float* squares = mean + channels;
    std::fill_n(mean, 2 * channels, 0.0F);
    add_rows(chunks.begin(i), chunks.end(i), channels, mean,
             [=](std::int64_t r, std::int64_t c) { return x(r, c); });
    const float size = static_cast<float>(chunks.end(i) - chunks.begin(i));
    for (std::int64_t c = 0; c < channels; ++c) mean[c] /= size;
    add_rows(chunks.begin(i), chunks.end(i), channels, squares, [=](std::int64_t r, std::int64_t c) {
      const float deviation = x(r, c) - mean[c];
      return deviation * deviation;
    });
  });
}

struct Moments {
  double mean;
  double squares;  // Σ (x − mean)²
};

/// Chan, Golub, LeVeque (1983): deviations within the chunks plus those of the chunks' means. No term is ever
/// the small difference of large ones.
Moments combined_moments(const Extents& extents, const Chunks& chunks, const float* moments,
                         std::int64_t channel) {
  const std::int64_t stride = 2 * extents.channels;
  const auto size = [&](std::int64_t i) { return static_cast<double>(chunks.end(i) - chunks.begin(i)); };
  double sum = 0.0;
  for (std::int64_t i = 0; i < chunks.count(); ++i) sum += size(i) * double{moments[i * stride + channel]};
  const double mean = sum / static_cast<double>(extents.rows);
  double squares = 0.0;
  for (std::int64_t i = 0; i < chunks.count(); ++i) {
    const double shift = double{moments[i * stride + channel]} - mean;
    squares += double{moments[i * stride + extents.channels + channel]} + size(i) * shift * shift;
  }
  return {mean, squares};
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
  const Chunks groups = channel_groups(in.channels);
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
  const double size = static_cast<double>(extents.rows), momentum = double{op.momentum};
  float* slope = static_cast<float*>(
      cpu.workspace(static_cast<std::size_t>((1 + 2 * chunks.count()) * channels) * sizeof(float)));
  float* moments = slope + channels;
  const Rows<const float> x = rows_of(op.x, run);
  const float* scale = op.scale.data<float>(run);
  float *mean = op.mean.data<float>(run), *invstd = op.invstd.data<float>(run);
  float *running_mean = op.running_mean.data<float>(run),
        *running_variance = op.running_variance.data<float>(run);
  chunk_moments(extents, chunks, x, moments);
  const Chunks groups = channel_groups(channels);
  parallel_for(groups.count(), 2 * chunks.count() * channels, [&](std::int64_t group) {
    for (std::int64_t c = groups.begin(group); c < groups.end(group); ++c) {
      const Moments batch = combined_moments(extents, chunks, moments, c);
      const double unbiased = batch.squares / std::max(size - 1.0, 1.0);
      mean[c] = static_cast<float>(batch.mean);
      invstd[c] = static_cast<float>(1.0 / std::sqrt(batch.squares / size + double{op.epsilon}));
      slope[c] = scale[c] * invstd[c];
      running_mean[c] =
          static_cast<float>((1.0 - momentum) * double{running_mean[c]} + momentum * batch.mean);
      running_variance[c] =
          static_cast<float>((1.0 - momentum) * double{running_variance[c]} + momentum * unbiased);
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
