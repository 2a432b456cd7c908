#include "engine/ops/pooling.h"

#include "engine/backends/cpu/channel_lanes.h"
#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::load;
using cpu::parallel_for;
using cpu::require_fp32;
using cpu::require_nhwc;
using cpu::store;
using Bytes = cpu::EightChannels::Bytes;
using Floats = cpu::EightChannels::Floats;
using Integers = cpu::EightChannels::Integers;

constexpr std::int64_t kLanes = cpu::EightChannels::kLanes;

/// Positions [begin, end) of a window along one axis that lie inside the image.
struct Range {
  int begin;
  int end;
};

Range inside(int output, int extent, const Conv2dGeometry& geometry) {
  const int first = output * geometry.stride - geometry.padding;
  return {std::max(0, -first), std::min(geometry.kernel, extent - first)};
}

/// Pooling of x [N,C,H,W] to y [N,C,H',W'] in NHWC.
struct Windows {
  Windows(const Conv2dGeometry& g, const Shape& x, const Shape& y)
      : geometry(g), images(x[0]), channels(x[1]), height(x[2]), width(x[3]), rows(y[2]), columns(y[3]) {}

  std::int64_t x_at(std::int64_t n, int h, int w) const { return ((n * height + h) * width + w) * channels; }
  std::int64_t y_at(std::int64_t n, int i, int j) const { return ((n * rows + i) * columns + j) * channels; }
  std::int64_t image_elements() const { return std::int64_t{height} * width * channels; }
  std::int64_t elements() const { return images * image_elements(); }
  /// Windows of 2x2 side by side that cover the image exactly: what VGG has.
  bool are_tiles_of_two() const {
    return geometry == Conv2dGeometry{2, 2, 0} && height % 2 == 0 && width % 2 == 0;
  }

  /// Calls visit(place in the window, offset of the pixel in x) for each pixel of window (n,i,j) inside the
  /// image.
  template <class Visit>
  void for_each_pixel(std::int64_t n, int i, int j, const Visit& visit) const {
    const Range vertical = inside(i, height, geometry), horizontal = inside(j, width, geometry);
    for (int k = vertical.begin; k < vertical.end; ++k)
      for (int l = horizontal.begin; l < horizontal.end; ++l)
        visit(k * geometry.kernel + l, x_at(n, i * geometry.stride - geometry.padding + k,
                                            j * geometry.stride - geometry.padding + l));
  }

  Conv2dGeometry geometry;
  std::int64_t images;
  std::int64_t channels;
  int height;
  int width;
  int rows;
  int columns;
};

/// Whether `value` takes the place of the maximum so far: it is larger, or the first NaN.
inline bool wins(float value, float best) { return !(value <= best) && best == best; }

enum class Winners : std::uint8_t { kDropped, kKept };

template <Winners kWinners>
void max_of_tile(const Windows& windows, const float* x, float* y, std::uint8_t* winner) {
  const std::int64_t line = windows.width * windows.channels;
  const float* pixels[4] = {x, x + windows.channels, x + line, x + line + windows.channels};
  std::int64_t c = 0;
  for (; c + kLanes <= windows.channels; c += kLanes) {
    Floats best, value;
    Integers place{};
    load(pixels[0] + c, best);
    for (std::int32_t candidate = 1; candidate < 4; ++candidate) {
      load(pixels[candidate] + c, value);
      const Integers takes = ~(value <= best) & (best == best);  // as wins()
      best = takes ? value : best;
      place = takes ? candidate : place;
    }
    store(best, y + c);
    if constexpr (kWinners == Winners::kKept) store(cpu::to_bytes<cpu::EightChannels>(place), winner + c);
  }
  for (; c < windows.channels; ++c) {
    int place = 0;
    for (int candidate = 1; candidate < 4; ++candidate)
      if (wins(pixels[candidate][c], pixels[place][c])) place = candidate;
    y[c] = pixels[place][c];
    if constexpr (kWinners == Winners::kKept) winner[c] = static_cast<std::uint8_t>(place);
  }
}

/// One window of any geometry; y holds the maximum so far.
void max_of_window(const Windows& windows, std::int64_t n, int i, int j, const float* x, float* y,
                   std::uint8_t* winner) {
  bool is_first = true;
  windows.for_each_pixel(n, i, j, [&](int place, std::int64_t pixel) {
    const float* from = x + pixel;
    for (std::int64_t c = 0; c < windows.channels; ++c) {
      if (!is_first && !wins(from[c], y[c])) continue;
      y[c] = from[c];
      if (winner != nullptr) winner[c] = static_cast<std::uint8_t>(place);
    }
    is_first = false;
  });
}

void route_tile(const Windows& windows, const float* y_grad, const std::uint8_t* winner, float* x_grad) {
  const std::int64_t line = windows.width * windows.channels;
  float* pixels[4] = {x_grad, x_grad + windows.channels, x_grad + line, x_grad + line + windows.channels};
  std::int64_t c = 0;
  for (; c + kLanes <= windows.channels; c += kLanes) {
    Floats gradient;
    Bytes places;
    load(y_grad + c, gradient);
    load(winner + c, places);
    const Integers place = cpu::to_integers<cpu::EightChannels>(places);
    for (std::int32_t candidate = 0; candidate < 4; ++candidate)
      store(place == candidate ? gradient : Floats{}, pixels[candidate] + c);
  }
  for (; c < windows.channels; ++c)
    for (int candidate = 0; candidate < 4; ++candidate)
      pixels[candidate][c] = winner[c] == candidate ? y_grad[c] : 0.0F;
}

void route_image(const Windows& windows, std::int64_t n, const float* y_grad, const std::uint8_t* winner,
                 float* x_grad) {
  const Conv2dGeometry& geometry = windows.geometry;
  std::fill_n(x_grad + windows.x_at(n, 0, 0), windows.image_elements(), 0.0F);
  for (int i = 0; i < windows.rows; ++i)
    for (int j = 0; j < windows.columns; ++j) {
      const std::int64_t from = windows.y_at(n, i, j);
      for (std::int64_t c = 0; c < windows.channels; ++c) {
        const int place = winner[from + c];
        const int h = i * geometry.stride - geometry.padding + place / geometry.kernel;
        const int w = j * geometry.stride - geometry.padding + place % geometry.kernel;
        x_grad[windows.x_at(n, h, w) + c] += y_grad[from + c];
      }
    }
}

}  // namespace

void execute(CpuBackend& cpu, const MaxPoolForward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}, {"y", op.y}, {"winner", op.winner}});
  const Windows windows(op.geometry, op.x.shape(), op.y.shape());
  for (int run = 0; run < op.y.runs(); ++run) {
    const float* x = op.x.data<float>(run);
    float* y = op.y.data<float>(run);
    std::uint8_t* winner = op.winner ? op.winner.data<std::uint8_t>(run) : nullptr;
    parallel_for(windows.images * windows.rows, windows.elements(), [&](std::int64_t line) {
      const std::int64_t n = line / windows.rows;
      const int i = static_cast<int>(line % windows.rows);
      for (int j = 0; j < windows.columns; ++j) {
        const std::int64_t to = windows.y_at(n, i, j);
        std::uint8_t* winner_to = winner == nullptr ? nullptr : winner + to;
        if (!windows.are_tiles_of_two()) {
          max_of_window(windows, n, i, j, x, y + to, winner_to);
        } else if (winner != nullptr) {
          max_of_tile<Winners::kKept>(windows, x + windows.x_at(n, 2 * i, 2 * j), y + to, winner_to);
        } else {
          max_of_tile<Winners::kDropped>(windows, x + windows.x_at(n, 2 * i, 2 * j), y + to, winner_to);
        }
      }
    });
  }
}

void execute(CpuBackend& cpu, const MaxPoolBackward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"y_grad", op.y_grad}});
  require_nhwc(op.kName, {{"y_grad", op.y_grad}, {"winner", op.winner}, {"x_grad", op.x_grad}});
  const Windows windows(op.geometry, op.x_grad.shape(), op.y_grad.shape());
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const float* y_grad = op.y_grad.data<float>(run);
    const std::uint8_t* winner = op.winner.data<std::uint8_t>(run);
    float* x_grad = op.x_grad.data<float>(run);
    if (!windows.are_tiles_of_two()) {
      parallel_for(windows.images, windows.elements(),
                   [&](std::int64_t n) { route_image(windows, n, y_grad, winner, x_grad); });
      continue;
    }
    parallel_for(windows.images * windows.rows, windows.elements(), [&](std::int64_t line) {
      const std::int64_t n = line / windows.rows;
      const int i = static_cast<int>(line % windows.rows);
      for (int j = 0; j < windows.columns; ++j) {
        const std::int64_t from = windows.y_at(n, i, j);
        route_tile(windows, y_grad + from, winner + from, x_grad + windows.x_at(n, 2 * i, 2 * j));
      }
    });
  }
}

void execute(CpuBackend& cpu, const AveragePoolForward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}, {"y", op.y}});
  const Windows windows(op.geometry, op.x.shape(), op.y.shape());
  const float size = static_cast<float>(op.geometry.kernel) * static_cast<float>(op.geometry.kernel);
  for (int run = 0; run < op.y.runs(); ++run) {
    const float* x = op.x.data<float>(run);
    float* y = op.y.data<float>(run);
    parallel_for(windows.images * windows.rows, windows.elements(), [&](std::int64_t line) {
      const std::int64_t n = line / windows.rows;
      const int i = static_cast<int>(line % windows.rows);
      for (int j = 0; j < windows.columns; ++j) {
        float* to = y + windows.y_at(n, i, j);
        std::fill_n(to, windows.channels, 0.0F);
        windows.for_each_pixel(n, i, j, [&](int, std::int64_t pixel) {
          const float* from = x + pixel;
#pragma omp simd
          for (std::int64_t c = 0; c < windows.channels; ++c) to[c] += from[c];
        });
#pragma omp simd
        for (std::int64_t c = 0; c < windows.channels; ++c) to[c] /= size;
      }
    });
  }
}

void execute(CpuBackend& cpu, const AveragePoolBackward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"y_grad", op.y_grad}});
  require_nhwc(op.kName, {{"y_grad", op.y_grad}, {"x_grad", op.x_grad}});
  const Windows windows(op.geometry, op.x_grad.shape(), op.y_grad.shape());
  const float size = static_cast<float>(op.geometry.kernel) * static_cast<float>(op.geometry.kernel);
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const float* y_grad = op.y_grad.data<float>(run);
    float* x_grad = op.x_grad.data<float>(run);
    parallel_for(windows.images, windows.elements(), [&](std::int64_t n) {
      std::fill_n(x_grad + windows.x_at(n, 0, 0), windows.image_elements(), 0.0F);
      for (int i = 0; i < windows.rows; ++i)
        for (int j = 0; j < windows.columns; ++j) {
          const float* from = y_grad + windows.y_at(n, i, j);
          windows.for_each_pixel(n, i, j, [&](int, std::int64_t pixel) {
            float* to = x_grad + pixel;
#pragma omp simd
            for (std::int64_t c = 0; c < windows.channels; ++c) to[c] += from[c] / size;
          });
        }
    });
  }
}

}  // namespace gnc
