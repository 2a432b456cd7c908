#include "apps/pictures/heat_map.h"

#include <algorithm>
#include <cmath>

#include "apps/pictures/axis.h"
#include "engine/error.h"

namespace gnc {
namespace {

constexpr Color kDiagonalGrey = {150, 150, 150};
constexpr Eigen::Index kMostWrittenColumns = 12;
// What is nearer to zero is rounding: a matrix of nothing else is white, not noise in full colours.
constexpr double kLeastLimit = 1e-9;

bool is_grey(const HeatMap& map, Eigen::Index row, Eigen::Index column) {
  return map.diagonal == Diagonal::kIsGrey && row == column;
}

/// The magnitude at the ends of the colours.
double limit_of(const HeatMap& map) {
  double limit = 0;
  for (Eigen::Index row = 0; row < map.values.rows(); ++row) {
    for (Eigen::Index column = 0; column < map.values.cols(); ++column) {
      const double value = map.values(row, column);
      require(std::isfinite(value), "heat map: the value at row {}, column {} is not finite: {}", row, column,
              value);
      require(map.kind == HeatMapValues::kSigned || value >= 0,
              "heat map: the count at row {}, column {} is negative: {}", row, column, value);
      if (!is_grey(map, row, column)) limit = std::max(limit, std::abs(value));
    }
  }
  return limit < kLeastLimit ? 1 : limit;
}

void draw_color_bar(Canvas& canvas, const Rectangle& area, double limit, const HeatMap& map) {
  constexpr int kSteps = 256;
  const bool is_count = map.kind == HeatMapValues::kCounts;
  const double low = is_count ? 0 : -limit;
  std::vector<Color> colors;
  for (int i = 0; i < kSteps; ++i)
    colors.push_back(diverging(std::lerp(limit, low, static_cast<double>(i) / (kSteps - 1)) / limit));
  canvas.image(area, kSteps, 1, colors);
  canvas.outline(area, {.color = kFaintInk, .width = 0.8});
  const Axis axis(AxisScale::kLinear, {low, limit}, 0);
  for (const Tick& tick : axis.ticks(6, is_count ? AxisValues::kIntegers : AxisValues::kReal)) {
    const double y = area.bottom() - axis.place(tick.value) * area.height;
    canvas.line({area.right(), y}, {area.right() + 4, y}, {.color = kFaintInk, .width = 0.8});
    canvas.text({area.right() + 8, y}, tick.label, {.size = 11, .vertical = VerticalAlign::kMiddle});
  }
  canvas.text({area.x, area.y - 12}, map.color_label, {.size = 11, .color = kFaintInk});
}

/// The numbers of rows and columns beside the matrix.
void draw_numbers(Canvas& canvas, const Rectangle& area, Eigen::Index rows, Eigen::Index columns) {
  const TextStyle below = {.size = 10,
                           .color = kFaintInk,
                           .horizontal = HorizontalAlign::kCenter,
                           .vertical = VerticalAlign::kTop};
  const TextStyle left = {.size = 10,
                          .color = kFaintInk,
                          .horizontal = HorizontalAlign::kRight,
                          .vertical = VerticalAlign::kMiddle};
  constexpr int kMostNumbers = 20;
  const auto stride_of = [](Eigen::Index count) {
    return count <= kMostNumbers
               ? Eigen::Index{1}
               : static_cast<Eigen::Index>(round_step(static_cast<double>(count), kMostNumbers / 2));
  };
  for (Eigen::Index column = 0; column < columns; column += stride_of(columns)) {
    const double x = area.x + area.width * (static_cast<double>(column) + 0.5) / static_cast<double>(columns);
    canvas.text({x, area.bottom() + 5}, std::to_string(column), below);
  }
  for (Eigen::Index row = 0; row < rows; row += stride_of(rows)) {
    const double y = area.y + area.height * (static_cast<double>(row) + 0.5) / static_cast<double>(rows);
    canvas.text({area.x - 6, y}, std::to_string(row), left);
  }
}

std::string written(double value, HeatMapValues kind) {
  if (kind == HeatMapValues::kCounts) return fmt::format("{:.0f}", value);
  // Two decimals; -0.00 would be a sign of nothing.
  const double rounded = std::round(100 * value) / 100;
  return fmt::format("{}{:.2f}", rounded < 0 ? "−" : "", std::abs(rounded));
}

void write_values(Canvas& canvas, const Rectangle& area, const HeatMap& map, double limit) {
  const double width = area.width / static_cast<double>(map.values.cols());
  const double height = area.height / static_cast<double>(map.values.rows());
  for (Eigen::Index row = 0; row < map.values.rows(); ++row) {
    for (Eigen::Index column = 0; column < map.values.cols(); ++column) {
      const double value = map.values(row, column);
      const bool is_dark = is_grey(map, row, column) || std::abs(value) > 0.65 * limit;
      const std::string text = written(value, map.kind);
      canvas.text({area.x + (static_cast<double>(column) + 0.5) * width,
                   area.y + (static_cast<double>(row) + 0.5) * height},
                  text,
                  {.size = std::min(14.0, width / 3.4),
                   .color = is_dark ? kWhite : kInk,
                   .horizontal = HorizontalAlign::kCenter,
                   .vertical = VerticalAlign::kMiddle});
    }
  }
}

}  // namespace

double heat_map_side(Eigen::Index n) {
  constexpr double kSide = 480;
  constexpr double kPixelsOfPoint = 2;
  // A cell of ten pixels or more may be one wider than the next without being seen.
  if (n <= 96 || n > 2000) return kSide;
  const double pixels_of_cell = std::ceil(kPixelsOfPoint * kSide / static_cast<double>(n));
  return pixels_of_cell * static_cast<double>(n) / kPixelsOfPoint;
}

void draw_heat_map(Canvas& canvas, const Rectangle& area, const HeatMap& map) {
  require(map.values.size() > 0, "heat map: the matrix is empty");
  const double limit = limit_of(map);
  std::vector<Color> colors;
  colors.reserve(static_cast<std::size_t>(map.values.size()));
  for (Eigen::Index row = 0; row < map.values.rows(); ++row) {
    for (Eigen::Index column = 0; column < map.values.cols(); ++column) {
      colors.push_back(is_grey(map, row, column) ? kDiagonalGrey
                                                 : diverging(map.values(row, column) / limit));
    }
  }
  canvas.image(area, static_cast<int>(map.values.rows()), static_cast<int>(map.values.cols()), colors);
  canvas.outline(area, {.color = kFaintInk, .width = 0.8});
  draw_numbers(canvas, area, map.values.rows(), map.values.cols());
  if (map.values.cols() <= kMostWrittenColumns) write_values(canvas, area, map, limit);
  draw_color_bar(canvas, {area.right() + 18, area.y, 15, area.height}, limit, map);
}

void write_heat_map(const std::filesystem::path& path, const HeatMapTitle& title, const HeatMap& map) {
  constexpr double kLeft = 42, kNoteHeight = 16;
  constexpr TextStyle kTitle = {.size = 15, .is_bold = true};
  constexpr TextStyle kNote = {.size = 11, .color = kFaintInk};
  // The bar's label stands above it: notes end where it begins.
  const double top = 48 + kNoteHeight * static_cast<double>(title.notes.size());
  const double side = heat_map_side(map.values.cols());
  Canvas canvas({.width = static_cast<int>(std::ceil(kLeft + side + kColorBarRoom)),
                 .height = static_cast<int>(std::ceil(top + side + 32)),
                 .scale = 2},
                picture_format(path));
  canvas.text({kLeft, 30}, canvas.fitted(title.title, kTitle, canvas.width() - kLeft - 12), kTitle);
  double y = 30;
  for (const std::string& note : title.notes)
    canvas.text({kLeft, y += kNoteHeight}, canvas.fitted(note, kNote, side), kNote);
  draw_heat_map(canvas, {kLeft, top, side, side}, map);
  canvas.write(path);
}

}  // namespace gnc
