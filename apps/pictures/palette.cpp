#include "apps/pictures/palette.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/error.h"

namespace gnc {
namespace {

// Okabe and Ito's eight, as published: blue, vermillion, bluish green, reddish purple, orange, sky blue,
// black, yellow; here in an order in which the first ones differ most.
constexpr std::array<Color, 8> kOkabeIto = {{{0, 114, 178},
                                             {213, 94, 0},
                                             {0, 158, 115},
                                             {204, 121, 167},
                                             {230, 159, 0},
                                             {86, 180, 233},
                                             {0, 0, 0},
                                             {240, 228, 66}}};

// Every 16th of viridis's 256 colours, and the last.
constexpr std::array<Color, 17> kViridis = {{{68, 1, 84},
                                             {72, 24, 106},
                                             {71, 45, 123},
                                             {66, 64, 134},
                                             {59, 82, 139},
                                             {51, 99, 141},
                                             {44, 114, 142},
                                             {38, 130, 142},
                                             {33, 145, 140},
                                             {31, 160, 136},
                                             {40, 174, 128},
                                             {63, 188, 115},
                                             {94, 201, 98},
                                             {132, 212, 75},
                                             {173, 220, 48},
                                             {216, 226, 25},
                                             {253, 231, 37}}};

constexpr std::array<Color, 11> kBlueToRed = {{{5, 48, 97},
                                               {33, 102, 172},
                                               {67, 147, 195},
                                               {146, 197, 222},
                                               {209, 229, 240},
                                               {255, 255, 255},
                                               {253, 219, 199},
                                               {244, 165, 130},
                                               {214, 96, 77},
                                               {178, 24, 43},
                                               {103, 0, 31}}};

/// Between the anchors, which stand at even steps of [0, 1].
template <std::size_t kAnchors>
Color interpolated(const std::array<Color, kAnchors>& anchors, double position) {
  const double place = std::clamp(position, 0.0, 1.0) * (kAnchors - 1);
  const std::size_t below = std::min(static_cast<std::size_t>(place), kAnchors - 2);
  return mixed(anchors[below], anchors[below + 1], place - static_cast<double>(below));
}

}  // namespace

Color mixed(Color from, Color to, double share) {
  const auto channel = [share](std::uint8_t a, std::uint8_t b) {
    return static_cast<std::uint8_t>(std::lround((1 - share) * a + share * b));
  };
  return {channel(from.red, to.red), channel(from.green, to.green), channel(from.blue, to.blue)};
}

Color class_color(int index, int count) {
  require(index >= 0 && index < count, "class_color: class {} of {}", index, count);
  if (count <= static_cast<int>(kOkabeIto.size())) return kOkabeIto[static_cast<std::size_t>(index)];
  // The yellow end is too faint on white for points and thin lines.
  constexpr double kBrightest = 0.93;
  return viridis(kBrightest * index / (count - 1));
}

Marker class_marker(int index) { return static_cast<Marker>(index % kMarkerShapes); }

Color viridis(double position) { return interpolated(kViridis, position); }

Color diverging(double position) { return interpolated(kBlueToRed, (position + 1) / 2); }

}  // namespace gnc
