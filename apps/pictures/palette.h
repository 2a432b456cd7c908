#pragma once
/// Colours that people with any kind of colour vision tell apart.

#include <cstdint>

namespace gnc {

/// An opaque sRGB colour.
struct Color {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;

  friend bool operator==(const Color&, const Color&) = default;
};

inline constexpr Color kWhite = {255, 255, 255};
inline constexpr Color kInk = {34, 34, 34};          ///< text and axes
inline constexpr Color kFaintInk = {110, 110, 110};  ///< what explains
inline constexpr Color kGrid = {226, 226, 226};

/// The shape that tells a class or curve apart where the colour alone does not.
enum class Marker : std::uint8_t {
  kCircle,
  kSquare,
  kTriangle,
  kDiamond,
  kCross,
  kPlus,
  kDownTriangle,
  kStar
};
inline constexpr int kMarkerShapes = 8;

/// The colour of class `index` of `count`: up to 8 that of Okabe and Ito (Color Universal Design, 2008),
/// their yellow last, as it is faint on white; beyond, even steps of viridis. Throws Error unless
/// 0 <= index < count.
Color class_color(int index, int count);

/// The marker of class `index`; they repeat after kMarkerShapes.
Marker class_marker(int index);

/// viridis (Smith and van der Walt, 2015), from dark blue at 0 to yellow at 1, interpolated between 17 of its
/// colours; clamped to [0, 1].
Color viridis(double position);

/// Blue at -1, white at 0, red at 1: ColorBrewer's RdBu, reversed, which stays readable with every colour
/// vision; clamped to [-1, 1].
Color diverging(double position);

/// (1 - share)·from + share·to in sRGB, share in [0, 1].
Color mixed(Color from, Color to, double share);

}  // namespace gnc
