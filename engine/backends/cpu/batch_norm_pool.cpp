#include "engine/ops/batch_norm_pool.h"

#include <algorithm>

#include "engine/backends/cpu/batch_norm.h"
#include "engine/backends/cpu/channel_lanes.h"
#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

// The windows are the rows of a matrix [windows, channels], as the pixels are in batch_norm.cpp: chunks of
// them are summed in fp32 and put together in double. The four pixels of a window are read side by side.

namespace gnc {
namespace {

using cpu::BatchNormAffine;
using cpu::Chunks;
using cpu::for_each_lanes;
using cpu::loaded;
using cpu::parallel_for;
using cpu::require_fp32;
using cpu::require_nhwc;
using cpu::store;

constexpr std::int32_t kPlaces = 4;

/// Windows of 2x2 pixels side by side over images in NHWC.
struct Windows {
  explicit Windows(const Shape& pooled)
      : lines(std::int64_t{pooled[0]} * pooled[2]), width(pooled[3]), channels(pooled[1]) {}

  std::int64_t count() const { return lines * width; }
  /// Elements of the images.
  std::int64_t elements() const { return kPlaces * count() * channels; }
  /// The first pixel of a window: images and rows of them follow each other at one distance.
  std::int64_t first_pixel(std::int64_t window) const {
    return (2 * (window / width) * 2 * width + 2 * (window % width)) * channels;
  }
  std::int64_t offset_of_place(std::int32_t place) const {
    return (place / 2 * 2 * width + place % 2) * channels;
  }

  std::int64_t lines;  // rows of windows, of all images
  std::int64_t width;  // windows of a line
  std::int64_t channels;
};

/// 32 KiB of floats, as in batch_norm.cpp.
Chunks chunks_of(const Windows& windows) {
  constexpr std::int64_t kElements = 8192 / kPlaces;
  return {windows.count(), std::clamp<std::int64_t>(kElements / windows.channels, 16, 512)};
}

template <Activation kActivation>
void normalize_and_pool(const Windows& windows, const BatchNormAffine& affine, float* y,
                        std::uint8_t* winner) {
  parallel_for(windows.lines, windows.elements(), [&](std::int64_t line) {
    for (std::int64_t window = line * windows.width; window < (line + 1) * windows.width; ++window) {
      const float* const pixels = affine.x + windows.first_pixel(window);
      const std::int64_t to = window * windows.channels;
      for_each_lanes(windows.channels, [&]<class Lanes>(Lanes, std::int64_t c) {
        using Floats = typename Lanes::Floats;
        using Integers = typename Lanes::Integers;
        const auto mean = loaded<Floats>(affine.mean + c), slope = loaded<Floats>(affine.slope + c),
                   shift = loaded<Floats>(affine.shift + c);
        const auto value_at = [&](std::int32_t place) {
          const auto pixel = loaded<Floats>(pixels + windows.offset_of_place(place) + c);
          return cpu::activated<kActivation>(cpu::normalized(pixel, mean, slope, shift));
        };
        Floats best = value_at(0);
        Integers winners{};
        for (std::int32_t place = 1; place < kPlaces; ++place) {
          const Floats value = value_at(place);
          const Integers takes = ~(value <= best) & (best == best);  // larger, or the first NaN
          best = takes ? value : best;
          winners = takes ? Integers{} + place : winners;
        }
        store(best, y + to + c);
        store(cpu::to_bytes<Lanes>(winners), winner + to + c);
      });
    }
  });
}

struct BackwardOperands {
  BatchNormAffine affine;
  const float* y_grad;
  const std::uint8_t* winner;
};

/// Per chunk of windows [2][C]: Σ g and Σ g·(x − mean), of the winners alone, as g is 0 elsewhere.
template <Activation kActivation>
void chunk_gradients(const Windows& windows, const Chunks& chunks, const BackwardOperands& in, float* sums) {
  parallel_for(chunks.count(), windows.elements(), [&](std::int64_t chunk) {
    float* const shift_grad = sums + 2 * chunk * windows.channels;
    float* const scale_grad = shift_grad + windows.channels;
    std::fill_n(shift_grad, 2 * windows.channels, 0.0F);
    for (std::int64_t window = chunks.begin(chunk); window < chunks.end(chunk); ++window) {
      const float* const pixels = in.affine.x + windows.first_pixel(window);
      const std::int64_t from = window * windows.channels;
      for_each_lanes(windows.channels, [&]<class Lanes>(Lanes, std::int64_t c) {
        using Floats = typename Lanes::Floats;
        const auto winners = cpu::to_integers<Lanes>(loaded<typename Lanes::Bytes>(in.winner + from + c));
        auto value = loaded<Floats>(pixels + c);
        for (std::int32_t place = 1; place < kPlaces; ++place)
          value = winners == place ? loaded<Floats>(pixels + windows.offset_of_place(place) + c) : value;
        const auto mean = loaded<Floats>(in.affine.mean + c);
        const Floats gradient =
            cpu::masked<kActivation>(loaded<Floats>(in.y_grad + from + c),
                                     cpu::normalized(value, mean, loaded<Floats>(in.affine.slope + c),
                                                     loaded<Floats>(in.affine.shift + c)));
        store(loaded<Floats>(shift_grad + c) + gradient, shift_grad + c);
        store(loaded<Floats>(scale_grad + c) + gradient * (value - mean), scale_grad + c);
      });
    }
  });
}

template <Activation kActivation>
void input_gradient(const Windows& windows, const BackwardOperands& in, const float* mean_grads,
                    const float* tilts, float* x_grad) {
  parallel_for(windows.lines, windows.elements(), [&](std::int64_t line) {
    for (std::int64_t window = line * windows.width; window < (line + 1) * windows.width; ++window) {
      const std::int64_t first = windows.first_pixel(window), from = window * windows.channels;
      for_each_lanes(windows.channels, [&]<class Lanes>(Lanes, std::int64_t c) {
        using Floats = typename Lanes::Floats;
        const auto winners = cpu::to_integers<Lanes>(loaded<typename Lanes::Bytes>(in.winner + from + c));
        const auto y_grad = loaded<Floats>(in.y_grad + from + c);
        const auto mean = loaded<Floats>(in.affine.mean + c), slope = loaded<Floats>(in.affine.slope + c),
                   shift = loaded<Floats>(in.affine.shift + c);
        const auto mean_grad = loaded<Floats>(mean_grads + c), tilt = loaded<Floats>(tilts + c);
        for (std::int32_t place = 0; place < kPlaces; ++place) {
          const std::int64_t at = first + windows.offset_of_place(place) + c;
          const auto value = loaded<Floats>(in.affine.x + at);
          const Floats won = winners == place ? y_grad : Floats{};
          const Floats gradient = cpu::masked<kActivation>(won, cpu::normalized(value, mean, slope, shift));
          store(cpu::input_gradient<Floats>(slope, gradient, mean_grad, value - mean, tilt), x_grad + at);
        }
      });
    }
  });
}

template <Activation kActivation>
void backward(CpuBackend& cpu, const BatchNormMaxPoolBackward& op, int run) {
  const Windows windows(op.y_grad.shape());
  const std::int64_t channels = windows.channels;
  const Chunks chunks = chunks_of(windows);
  float* slope = static_cast<float*>(
      cpu.workspace(static_cast<std::size_t>((3 + 2 * chunks.count()) * channels) * sizeof(float)));
  float *mean_grad = slope + channels, *tilt = mean_grad + channels, *sums = tilt + channels;
  const float *scale = op.scale.data<float>(run), *invstd = op.invstd.data<float>(run);
  for (std::int64_t c = 0; c < channels; ++c) slope[c] = scale[c] * invstd[c];
  const BackwardOperands in{
      .affine = {op.x.data<float>(run), op.mean.data<float>(run), slope, op.shift.data<float>(run)},
      .y_grad = op.y_grad.data<float>(run),
      .winner = op.winner.data<std::uint8_t>(run)};
  chunk_gradients<kActivation>(windows, chunks, in, sums);
  cpu::batch_norm_gradients({.sums = sums,
                             .chunks = chunks.count(),
                             .channels = channels,
                             .rows = kPlaces * windows.count(),
                             .invstd = invstd,
                             .scale_grad = op.scale_grad.data<float>(run),
                             .shift_grad = op.shift_grad.data<float>(run),
                             .mean_grad = mean_grad,
                             .tilt = tilt});
  input_gradient<kActivation>(windows, in, mean_grad, tilt, op.x_grad.data<float>(run));
}

}  // namespace

void execute(CpuBackend& cpu, const BatchNormMaxPoolForward& op) {
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}});
  const Windows windows(op.y.shape());
  for (int run = 0; run < op.y.runs(); ++run) {
    const BatchNormAffine affine = cpu::batch_norm_statistics(cpu,
                                                              {.x = op.x,
                                                               .scale = op.scale,
                                                               .shift = op.shift,
                                                               .running_mean = op.running_mean,
                                                               .running_variance = op.running_variance,
                                                               .mean = op.mean,
                                                               .invstd = op.invstd,
                                                               .variance = op.variance,
                                                               .y = op.y,
                                                               .epsilon = op.epsilon,
                                                               .momentum = op.momentum},
                                                              run);
    float* const y = op.y.data<float>(run);
    std::uint8_t* const winner = op.winner.data<std::uint8_t>(run);
    if (op.activation == Activation::kRelu) {
      normalize_and_pool<Activation::kRelu>(windows, affine, y, winner);
    } else {
      normalize_and_pool<Activation::kNone>(windows, affine, y, winner);
    }
  }
}

void execute(CpuBackend& cpu, const BatchNormMaxPoolBackward& op) {
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}});
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    if (op.activation == Activation::kRelu) {
      backward<Activation::kRelu>(cpu, op, run);
    } else {
      backward<Activation::kNone>(cpu, op, run);
    }
  }
}

}  // namespace gnc
