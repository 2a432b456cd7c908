#pragma once
/// Convolutions for the tests of kernels: cases, operands, and the loop over all products.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/random.h"
#include "kernels/conv2d.h"
#include "tests/kernels/kernel_test.h"
#include "tests/support/rounding.h"

namespace gnc::tests::convolution {

using kernels::Bf16;
using kernels::Conv2dShape;
using kernels::MathMode;

inline constexpr int kRuns = 2;

/// Elements between the runs beyond the image: odd, so that vector loads are impossible in run 1; or none.
enum class Gap : std::uint8_t { kNone = 0, kOdd = 37 };

struct Case {
  int batch, x_channels, height, width, y_channels, kernel, stride, padding;
  Gap gap = Gap::kNone;

  Conv2dShape shape() const {
    const auto out = [this](int extent) { return (extent + 2 * padding - kernel) / stride + 1; };
    return {.batch = batch,
            .x_channels = x_channels,
            .x_height = height,
            .x_width = width,
            .y_channels = y_channels,
            .y_height = out(height),
            .y_width = out(width),
            .kernel = kernel,
            .stride = stride,
            .padding = padding};
  }
};

/// Small ones that divide nothing; ones that fill tiles with packs of every width; strides and windows.
inline constexpr Case kCases[] = {{1, 1, 1, 1, 1, 3, 1, 1},   {3, 5, 7, 6, 9, 3, 1, 1},
                                  {2, 16, 8, 8, 40, 3, 1, 1}, {2, 16, 8, 8, 40, 3, 1, 1, Gap::kOdd},
                                  {1, 36, 9, 9, 72, 3, 2, 1}, {2, 3, 13, 11, 33, 5, 1, 2},
                                  {4, 32, 4, 4, 64, 1, 2, 0}, {1, 8, 2, 2, 130, 3, 1, 1}};

/// Numbers that every mode multiplies exactly as they are: of TF32 or bf16.
template <class T>
std::vector<T> draw(std::string_view name, std::int64_t count) {
  const RandomStream stream(20261123, name);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = kernels::from_float<T>(tests::rounded_to_tf32(static_cast<float>(2 * stream.uniform(i) - 1)));
  return values;
}

/// An operand of every run, on the host and on the device.
template <class T>
struct Runs {
  std::int64_t elements, run_stride;
  std::vector<T> host;
  DeviceArray<T> device;

  Runs(std::string_view name, std::int64_t elements_of_run, Gap gap)
      : elements(elements_of_run),
        run_stride(elements + static_cast<int>(gap)),
        host(draw<T>(name, kRuns * run_stride)),
        device(host) {}
  double at(int run, std::int64_t place) const {
    return kernels::to_float(host[static_cast<std::size_t>(run * run_stride + place)]);
  }
};

/// What lies between the runs is nobody's.
template <class T>
void expect_gaps_untouched(const Runs<T>& runs, const std::vector<T>& actual) {
  for (int run = 0; run < kRuns; ++run)
    for (std::int64_t i = runs.elements; i < runs.run_stride; ++i) {
      const auto place = static_cast<std::size_t>(run * runs.run_stride + i);
      ASSERT_EQ(kernels::to_float(actual[place]), kernels::to_float(runs.host[place]))
          << i - runs.elements << " behind run " << run;
    }
}

inline kernels::ImageStrides nhwc(int channels, int height, int width) {
  return {.n = std::int64_t{height} * width * channels, .h = std::int64_t{width} * channels, .w = channels};
}

/// Visits the places (in NHWC, OHWI and NHWC) of every product of the convolution.
template <class Visit>
void for_each_product(const Conv2dShape& s, const Visit& visit) {
  for (int n = 0; n < s.batch; ++n)
    for (int i = 0; i < s.y_height; ++i)
      for (int j = 0; j < s.y_width; ++j)
        for (int k = 0; k < s.kernel; ++k)
          for (int l = 0; l < s.kernel; ++l) {
            const int h = i * s.stride + k - s.padding, w = j * s.stride + l - s.padding;
            if (h < 0 || h >= s.x_height || w < 0 || w >= s.x_width) continue;
            for (int o = 0; o < s.y_channels; ++o)
              for (int c = 0; c < s.x_channels; ++c)
                visit(((std::int64_t{n} * s.x_height + h) * s.x_width + w) * s.x_channels + c,
                      ((std::int64_t{o} * s.kernel + k) * s.kernel + l) * s.x_channels + c,
                      ((std::int64_t{n} * s.y_height + i) * s.y_width + j) * s.y_channels + o);
          }
}

struct Sizes {
  std::int64_t x, weights, y;
  explicit Sizes(const Conv2dShape& s)
      : x(std::int64_t{s.x_pixels()} * s.x_channels),
        weights(s.weights()),
        y(std::int64_t{s.y_pixels()} * s.y_channels) {}
};

/// Calls body(T{}, case, math) for every case, type and mode.
template <class Body>
void for_each_case(const Body& body) {
  for (const Case& c : kCases) {
    const auto run = [&](auto zero, MathMode math, std::string_view name) {
      if (::testing::Test::HasFailure()) return;
      SCOPED_TRACE(fmt::format("case {}, {}", &c - kCases, name));
      body(zero, c, math);
    };
    run(float{}, MathMode::kFp32, "fp32");
    run(float{}, MathMode::kTf32, "tf32");
    run(Bf16{}, MathMode::kFp32, "bf16");
  }
}

}  // namespace gnc::tests::convolution
