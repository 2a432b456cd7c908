#pragma once
/// A picture in memory, drawn with cairo: shapes, text and the file.

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/pictures/palette.h"

namespace gnc {

/// A place on a canvas: x to the right, y down, in points of 1/`scale` pixels.
struct Point {
  double x = 0;
  double y = 0;
};

struct Rectangle {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;

  double right() const { return x + width; }
  double bottom() const { return y + height; }
};

enum class HorizontalAlign : unsigned char { kLeft, kCenter, kRight };
enum class VerticalAlign : unsigned char { kTop, kMiddle, kBaseline, kBottom };

struct TextStyle {
  double size = 12;  ///< of the font, in points
  Color color = kInk;
  HorizontalAlign horizontal = HorizontalAlign::kLeft;
  VerticalAlign vertical = VerticalAlign::kBaseline;
  bool is_bold = false;
  bool is_turned = false;  ///< read from below to above
};

struct Stroke {
  Color color = kInk;
  double width = 1;
  double opacity = 1;
  bool is_dashed = false;
};

struct CanvasSize {
  int width = 0;  ///< points
  int height = 0;
  double scale = 1;  ///< pixels a point
};

/// What a canvas becomes.
enum class PictureFormat : unsigned char { kPng, kSvg };

/// Of a file by its ending: ".svg", anything else is PNG.
PictureFormat picture_format(const std::filesystem::path& path);

/// A white picture to draw on. Text is in DejaVu Sans; where no font is installed, in the one built into
/// cairo, which has ASCII only. Drawing calls with coordinates that are not finite throw Error. Move-only.
class Canvas {
 public:
  /// Throws Error for a size that is not positive or has more than 32767 pixels a side, cairo's limit.
  explicit Canvas(CanvasSize size, PictureFormat format = PictureFormat::kPng);
  Canvas(Canvas&&) noexcept;
  Canvas& operator=(Canvas&&) noexcept;
  ~Canvas();

  double width() const { return size_.width; }    ///< points
  double height() const { return size_.height; }  ///< points
  int pixel_width() const;
  int pixel_height() const;
  /// 0x00RRGGBB of every pixel, row by row. Not of an SVG, which has none.
  std::vector<std::uint32_t> pixels() const;

  void clear(Color color = kWhite);
  void line(Point from, Point to, const Stroke& stroke);
  void polyline(std::span<const Point> points, const Stroke& stroke);
  /// The area within a closed line.
  void polygon(std::span<const Point> points, Color color, double opacity = 1);
  void rectangle(const Rectangle& area, Color color, double opacity = 1);
  void outline(const Rectangle& area, const Stroke& stroke);
  void disc(Point center, double radius, Color color, double opacity = 1);
  void circle(Point center, double radius, const Stroke& stroke);
  /// A line with a filled arrow head at `to`.
  void arrow(Point from, Point to, const Stroke& stroke);
  /// A marker of about the area of a disc of that radius.
  void marker(Marker shape, Point center, double radius, Color color);
  /// UTF-8; `at` is the corner, edge or centre of the text that the style says.
  void text(Point at, std::string_view text, const TextStyle& style = {});
  double text_width(std::string_view text, const TextStyle& style = {}) const;
  /// The text cut to that width, with "…" for what is missing.
  std::string fitted(std::string text, const TextStyle& style, double width) const;
  /// An image of rows × columns colours, stretched over `area` with sharp edges.
  void image(const Rectangle& area, int rows, int columns, std::span<const Color> colors);
  /// Nothing is drawn outside `area` until unclip().
  void clip(const Rectangle& area);
  void unclip();

  /// Writes the file, whole or not at all; an SVG takes no more drawing after it. Throws FileError naming the
  /// path.
  void write(const std::filesystem::path& path) const;

 private:
  struct Drawing;

  CanvasSize size_;
  std::unique_ptr<Drawing> drawing_;
};

}  // namespace gnc
