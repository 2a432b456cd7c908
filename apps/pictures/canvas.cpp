#include "apps/pictures/canvas.h"

#include <cairo-svg.h>
#include <cairo.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

#include "engine/error.h"
#include "engine/file.h"

// Asked by LeakSanitizer: fontconfig keeps patterns behind encoded pointers, which look lost.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig"; }
extern "C" const char* __lsan_default_options() { return "print_suppressions=0"; }

namespace gnc {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;
constexpr int kMaxPixels = 32767;  // cairo's coordinates are 16.8 bits wide

void check(cairo_status_t status, std::string_view what) {
  require(status == CAIRO_STATUS_SUCCESS, "picture: {}: {}", what, cairo_status_to_string(status));
}

void check_finite(Point point) {
  require(std::isfinite(point.x) && std::isfinite(point.y),
          "picture: a place to draw at is not finite: ({}, {})", point.x, point.y);
}

void check_finite(const Rectangle& area) {
  check_finite(Point{area.x, area.y});
  check_finite(Point{area.width, area.height});
}

struct SurfaceDeleter {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
};
struct ContextDeleter {
  void operator()(cairo_t* context) const { cairo_destroy(context); }
};
using Surface = std::unique_ptr<cairo_surface_t, SurfaceDeleter>;
using Context = std::unique_ptr<cairo_t, ContextDeleter>;

void set_color(cairo_t* context, Color color, double opacity) {
  cairo_set_source_rgba(context, color.red / 255.0, color.green / 255.0, color.blue / 255.0, opacity);
}

void stroke_path(cairo_t* context, const Stroke& stroke) {
  set_color(context, stroke.color, stroke.opacity);
  cairo_set_line_width(context, stroke.width);
  const std::array<double, 2> dashes = {4 * stroke.width, 3 * stroke.width};
  cairo_set_dash(context, dashes.data(), stroke.is_dashed ? 2 : 0, 0);
  cairo_stroke(context);
}

void trace(cairo_t* context, std::span<const Point> points) {
  cairo_new_path(context);
  for (const Point point : points) {
    check_finite(point);
    cairo_line_to(context, point.x, point.y);
  }
}

void select_font(cairo_t* context, const TextStyle& style) {
  cairo_select_font_face(context, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                         style.is_bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(context, style.size);
}

/// The text, or where cairo found no font on the machine and takes its own, which has ASCII only, the text in
/// it.
std::string drawable(cairo_t* context, std::string_view text) {
  std::string result(text);
  if (cairo_scaled_font_get_type(cairo_get_scaled_font(context)) != CAIRO_FONT_TYPE_USER) return result;
  constexpr std::array<std::pair<std::string_view, std::string_view>, 33> kInAscii = {{
      {"10⁰", "1"},   {"10⁻", "1e-"}, {"10¹", "1e1"}, {"10²", "1e2"}, {"10³", "1e3"}, {"10⁴", "1e4"},
      {"10⁵", "1e5"}, {"10⁶", "1e6"}, {"10⁷", "1e7"}, {"10⁸", "1e8"}, {"10⁹", "1e9"}, {"⁰", "0"},
      {"¹", "1"},     {"²", "2"},     {"³", "3"},     {"⁴", "4"},     {"⁵", "5"},     {"⁶", "6"},
      {"⁷", "7"},     {"⁸", "8"},     {"⁹", "9"},     {"−", "-"},     {"·", "*"},     {"≤", "<="},
      {"…", "..."},   {"⟨", "<"},     {"⟩", ">"},     {"ᵢ", "_i"},    {"ⱼ", "_j"},    {"‖", "|"},
      {"σ", "sigma"}, {"ρ", "rho"},   {"½", "1/2"},
  }};
  for (const auto& [from, to] : kInAscii) {
    for (std::size_t at = 0; (at = result.find(from, at)) != std::string::npos; at += to.size()) {
      result.replace(at, from.size(), to);
    }
  }
  return result;
}

/// The corners of a marker around (0, 0), of about the area of the unit disc; none for the round one.
std::vector<Point> marker_corners(Marker shape) {
  const auto star = [](int corners, double outer, double inner, double turn) {
    std::vector<Point> points;
    for (int i = 0; i < 2 * corners; ++i) {
      if (i % 2 == 1 && inner == 0) continue;
      const double radius = i % 2 == 0 ? outer : inner;
      const double angle = turn + kTurn * i / (2 * corners);
      points.push_back({radius * std::sin(angle), -radius * std::cos(angle)});
    }
    return points;
  };
  // Twelve corners of a plus with arms as wide as `half` on each side.
  const auto plus = [](double reach, double half, double turn) {
    const std::array<Point, 12> upright = {{{-half, -reach},
                                            {half, -reach},
                                            {half, -half},
                                            {reach, -half},
                                            {reach, half},
                                            {half, half},
                                            {half, reach},
                                            {-half, reach},
                                            {-half, half},
                                            {-reach, half},
                                            {-reach, -half},
                                            {-half, -half}}};
    std::vector<Point> points;
    for (const Point p : upright) {
      points.push_back(
          {p.x * std::cos(turn) - p.y * std::sin(turn), p.x * std::sin(turn) + p.y * std::cos(turn)});
    }
    return points;
  };
  switch (shape) {
    case Marker::kCircle:
      return {};
    case Marker::kSquare:
      return star(4, 1.25, 0, kTurn / 8);
    case Marker::kTriangle:
      return star(3, 1.5, 0, 0);
    case Marker::kDiamond:
      return star(4, 1.35, 0, 0);
    case Marker::kCross:
      return plus(1.3, 0.4, kTurn / 8);
    case Marker::kPlus:
      return plus(1.3, 0.4, 0);
    case Marker::kDownTriangle:
      return star(3, 1.5, 0, kTurn / 2);
    case Marker::kStar:
      return star(5, 1.6, 0.7, 0);
  }
  return {};
}

/// For cairo, which takes the function's answer for the stream's state.
cairo_status_t append_bytes(void* bytes, const unsigned char* data, unsigned length) {
  static_cast<std::string*>(bytes)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

PictureFormat picture_format(const std::filesystem::path& path) {
  return path.extension() == ".svg" ? PictureFormat::kSvg : PictureFormat::kPng;
}

struct Canvas::Drawing {
  std::string svg;  // as far as cairo has written it; before the surface, which writes to the end
  Surface surface;
  Context context;

  cairo_t* get() const { return context.get(); }
};

Canvas::Canvas(CanvasSize size, PictureFormat format) : size_(size), drawing_(std::make_unique<Drawing>()) {
  require(size.width > 0 && size.height > 0 && size.scale > 0 && pixel_width() <= kMaxPixels &&
              pixel_height() <= kMaxPixels,
          "picture: {}x{} points of {} pixels; expected 1 to {} pixels a side", size.width, size.height,
          size.scale, kMaxPixels);
  drawing_->surface.reset(
      format == PictureFormat::kSvg
          ? cairo_svg_surface_create_for_stream(append_bytes, &drawing_->svg, size.width, size.height)
          : cairo_image_surface_create(CAIRO_FORMAT_RGB24, pixel_width(), pixel_height()));
  check(cairo_surface_status(drawing_->surface.get()), "cannot create it");
  drawing_->context.reset(cairo_create(drawing_->surface.get()));
  cairo_t* context = drawing_->get();
  check(cairo_status(context), "cannot draw on it");
  if (format == PictureFormat::kPng) cairo_scale(context, size.scale, size.scale);
  cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(context, CAIRO_LINE_CAP_ROUND);
  // The same widths of text at every scale.
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_set_font_options(context, options);
  cairo_font_options_destroy(options);
  clear();
}

Canvas::Canvas(Canvas&&) noexcept = default;
Canvas& Canvas::operator=(Canvas&&) noexcept = default;
Canvas::~Canvas() = default;

int Canvas::pixel_width() const { return static_cast<int>(std::lround(size_.width * size_.scale)); }
int Canvas::pixel_height() const { return static_cast<int>(std::lround(size_.height * size_.scale)); }

std::vector<std::uint32_t> Canvas::pixels() const {
  cairo_surface_t* surface = drawing_->surface.get();
  cairo_surface_flush(surface);
  const unsigned char* data = cairo_image_surface_get_data(surface);
  const int stride = cairo_image_surface_get_stride(surface);
  const auto columns = static_cast<std::size_t>(pixel_width());
  std::vector<std::uint32_t> result(columns * static_cast<std::size_t>(pixel_height()));
  for (int row = 0; row < pixel_height(); ++row) {
    std::memcpy(&result[columns * static_cast<std::size_t>(row)],
                data + static_cast<std::ptrdiff_t>(stride) * row, columns * sizeof(std::uint32_t));
  }
  // The upper byte of CAIRO_FORMAT_RGB24 is undefined.
  for (std::uint32_t& pixel : result) pixel &= 0xFFFFFFu;
  return result;
}

void Canvas::clear(Color color) {
  set_color(drawing_->get(), color, 1);
  cairo_paint(drawing_->get());
}

void Canvas::line(Point from, Point to, const Stroke& stroke) { polyline(std::array{from, to}, stroke); }

void Canvas::polyline(std::span<const Point> points, const Stroke& stroke) {
  trace(drawing_->get(), points);
  stroke_path(drawing_->get(), stroke);
}

void Canvas::polygon(std::span<const Point> points, Color color, double opacity) {
  trace(drawing_->get(), points);
  cairo_close_path(drawing_->get());
  set_color(drawing_->get(), color, opacity);
  cairo_fill(drawing_->get());
}

void Canvas::rectangle(const Rectangle& area, Color color, double opacity) {
  check_finite(area);
  cairo_new_path(drawing_->get());
  cairo_rectangle(drawing_->get(), area.x, area.y, area.width, area.height);
  set_color(drawing_->get(), color, opacity);
  cairo_fill(drawing_->get());
}

void Canvas::outline(const Rectangle& area, const Stroke& stroke) {
  check_finite(area);
  cairo_new_path(drawing_->get());
  cairo_rectangle(drawing_->get(), area.x, area.y, area.width, area.height);
  stroke_path(drawing_->get(), stroke);
}

void Canvas::disc(Point center, double radius, Color color, double opacity) {
  check_finite(center);
  cairo_new_path(drawing_->get());
  cairo_arc(drawing_->get(), center.x, center.y, radius, 0, kTurn);
  set_color(drawing_->get(), color, opacity);
  cairo_fill(drawing_->get());
}

void Canvas::circle(Point center, double radius, const Stroke& stroke) {
  check_finite(center);
  cairo_new_path(drawing_->get());
  cairo_arc(drawing_->get(), center.x, center.y, radius, 0, kTurn);
  stroke_path(drawing_->get(), stroke);
}

void Canvas::arrow(Point from, Point to, const Stroke& stroke) {
  const double length = std::hypot(to.x - from.x, to.y - from.y);
  const double head = std::min(length, 3 + 2.5 * stroke.width);
  if (length == 0) return;
  const Point along = {(to.x - from.x) / length, (to.y - from.y) / length};
  const Point neck = {to.x - head * along.x, to.y - head * along.y};
  line(from, neck, stroke);
  const double half = 0.42 * head;
  polygon(std::array<Point, 3>{{to,
                                {neck.x - half * along.y, neck.y + half * along.x},
                                {neck.x + half * along.y, neck.y - half * along.x}}},
          stroke.color, stroke.opacity);
}

void Canvas::marker(Marker shape, Point center, double radius, Color color) {
  std::vector<Point> corners = marker_corners(shape);
  if (corners.empty()) {
    disc(center, radius, color);
    return;
  }
  for (Point& corner : corners) corner = {center.x + radius * corner.x, center.y + radius * corner.y};
  polygon(corners, color);
}

double Canvas::text_width(std::string_view text, const TextStyle& style) const {
  select_font(drawing_->get(), style);
  cairo_text_extents_t extents;
  cairo_text_extents(drawing_->get(), drawable(drawing_->get(), text).c_str(), &extents);
  return extents.x_advance;
}

void Canvas::text(Point at, std::string_view text, const TextStyle& style) {
  check_finite(at);
  cairo_t* context = drawing_->get();
  const double width = text_width(text, style);
  cairo_font_extents_t font;
  cairo_font_extents(context, &font);
  double x = 0;
  if (style.horizontal == HorizontalAlign::kCenter) x = -width / 2;
  if (style.horizontal == HorizontalAlign::kRight) x = -width;
  double y = 0;
  if (style.vertical == VerticalAlign::kTop) y = font.ascent;
  // Half the height of a capital, which is what the eye takes for the middle of a line of text.
  if (style.vertical == VerticalAlign::kMiddle) y = 0.36 * style.size;
  if (style.vertical == VerticalAlign::kBottom) y = -font.descent;
  cairo_save(context);
  cairo_translate(context, at.x, at.y);
  if (style.is_turned) cairo_rotate(context, -kTurn / 4);
  cairo_move_to(context, x, y);
  set_color(context, style.color, 1);
  cairo_show_text(context, drawable(context, text).c_str());
  cairo_restore(context);
}

std::string Canvas::fitted(std::string text, const TextStyle& style, double width) const {
  if (text_width(text, style) <= width) return text;
  while (!text.empty() && text_width(text + "…", style) > width) {
    // A whole character: its continuation bytes (10xxxxxx), then its first byte.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
    if (!text.empty()) text.pop_back();
  }
  return text + "…";
}

void Canvas::image(const Rectangle& area, int rows, int columns, std::span<const Color> colors) {
  check_finite(area);
  require(rows > 0 && columns > 0 &&
              static_cast<std::int64_t>(colors.size()) == static_cast<std::int64_t>(rows) * columns,
          "picture: an image of {}x{} with {} colours", rows, columns, colors.size());
  const Surface source(cairo_image_surface_create(CAIRO_FORMAT_RGB24, columns, rows));
  check(cairo_surface_status(source.get()), "cannot create an image");
  unsigned char* data = cairo_image_surface_get_data(source.get());
  const int stride = cairo_image_surface_get_stride(source.get());
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const Color color = colors[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
                                 static_cast<std::size_t>(column)];
      const std::uint32_t pixel = static_cast<std::uint32_t>(color.red) << 16 |
                                  static_cast<std::uint32_t>(color.green) << 8 | color.blue;
      std::memcpy(data + static_cast<std::ptrdiff_t>(stride) * row + 4 * column, &pixel, sizeof pixel);
    }
  }
  cairo_surface_mark_dirty(source.get());
  cairo_t* context = drawing_->get();
  cairo_save(context);
  cairo_translate(context, area.x, area.y);
  cairo_scale(context, area.width / columns, area.height / rows);
  cairo_set_source_surface(context, source.get(), 0, 0);
  // More cells than pixels are averaged; fewer keep their edges.
  const bool is_shrunk = area.width * size_.scale < columns || area.height * size_.scale < rows;
  cairo_pattern_set_filter(cairo_get_source(context), is_shrunk ? CAIRO_FILTER_GOOD : CAIRO_FILTER_NEAREST);
  cairo_pattern_set_extend(cairo_get_source(context), CAIRO_EXTEND_PAD);
  cairo_rectangle(context, 0, 0, columns, rows);
  cairo_fill(context);
  cairo_restore(context);
}

void Canvas::clip(const Rectangle& area) {
  check_finite(area);
  cairo_new_path(drawing_->get());
  cairo_rectangle(drawing_->get(), area.x, area.y, area.width, area.height);
  cairo_clip(drawing_->get());
}

void Canvas::unclip() { cairo_reset_clip(drawing_->get()); }

void Canvas::write(const std::filesystem::path& path) const {
  try {
    check(cairo_status(drawing_->get()), "cannot draw it");
    cairo_surface_flush(drawing_->surface.get());
    std::string bytes;
    if (cairo_surface_get_type(drawing_->surface.get()) == CAIRO_SURFACE_TYPE_SVG) {
      cairo_surface_finish(drawing_->surface.get());
      check(cairo_surface_status(drawing_->surface.get()), "cannot encode it");
      bytes = drawing_->svg;
    } else {
      check(cairo_surface_write_to_png_stream(drawing_->surface.get(), append_bytes, &bytes),
            "cannot encode it");
    }
    write_atomically(path, bytes);
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {
    throw FileError(fmt::format("{}: {}", path.string(), error.what()));
  }
}

}  // namespace gnc
