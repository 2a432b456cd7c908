#include "apps/pictures/line_chart.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "apps/pictures/canvas.h"
#include "engine/error.h"

namespace gnc {
namespace {

// Points; the file has two pixels a point.
constexpr double kWidth = 900;
constexpr double kLeft = 66;
constexpr double kTop = 52;
constexpr double kBottom = 52;
constexpr double kPanelHeight = 150;
constexpr double kOnlyPanelHeight = 360;
constexpr double kPanelGap = 40;
constexpr double kLegendGap = 18;
constexpr double kKeyWidth = 26;
constexpr double kEntryHeight = 19;
constexpr double kNoteHeight = 14;
constexpr double kMaxLegendWidth = 300;
constexpr double kMarkerRadius = 3.2;
constexpr TextStyle kEntryText = {.size = 12, .vertical = VerticalAlign::kMiddle};
constexpr TextStyle kNoteText = {.size = 10, .color = kFaintInk, .vertical = VerticalAlign::kMiddle};

/// A legend's line: the series or reference at `index`.
struct Entry {
  std::string name;
  std::string note;
};

bool is_shown(const LineChart& chart, const Panel& panel, const Series& series, std::size_t i) {
  return Axis::can_show(chart.x_scale, series.x[i]) && Axis::can_show(panel.scale, series.y[i]);
}

/// What the x axis cannot show is told once, below it.
Entry entry_of(const LineChart& chart, const Panel& panel, const Series& series) {
  std::size_t values = 0, hidden = 0;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    if (!Axis::can_show(chart.x_scale, series.x[i])) continue;
    ++values;
    hidden += Axis::can_show(panel.scale, series.y[i]) ? 0 : 1;
  }
  if (hidden == 0) return {series.name, ""};
  return {series.name,
          fmt::format("{} of {} not shown: {}", hidden, values,
                      panel.scale == AxisScale::kLogarithmic ? "≤ 0 or not finite" : "not finite")};
}

/// "step = 0 is not shown", for the first such value of a logarithmic axis; empty when there is none.
std::string x_note_of(const LineChart& chart) {
  for (const Panel& panel : chart.panels) {
    for (const Series& series : panel.series) {
      for (const double x : series.x) {
        if (!Axis::can_show(chart.x_scale, x)) return fmt::format("{} = {} is not shown", chart.x_label, x);
      }
    }
  }
  return "";
}

std::vector<Entry> entries_of(const LineChart& chart, const Panel& panel) {
  std::vector<Entry> entries;
  for (const Series& series : panel.series) entries.push_back(entry_of(chart, panel, series));
  for (const ReferenceLine& reference : panel.references) entries.push_back({reference.name, ""});
  return entries;
}

double height_of(const std::vector<Entry>& entries) {
  double height = 0;
  for (const Entry& entry : entries) height += kEntryHeight + (entry.note.empty() ? 0 : kNoteHeight);
  return height;
}

/// The text cut to the width, with "…" for what is missing.
std::string fitted(const Canvas& canvas, std::string text, const TextStyle& style, double width) {
  if (canvas.text_width(text, style) <= width) return text;
  while (!text.empty() && canvas.text_width(text + "…", style) > width) {
    // A whole character: its continuation bytes (10xxxxxx), then its first byte.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
    if (!text.empty()) text.pop_back();
  }
  return text + "…";
}

Color color_of(const Panel& panel, std::size_t index) {
  int colors = static_cast<int>(panel.series.size());
  for (const Series& series : panel.series) colors = std::max(colors, series.color.value_or(0) + 1);
  return class_color(panel.series[index].color.value_or(static_cast<int>(index)), colors);
}

Marker marker_of(const Panel& panel, std::size_t index) {
  return class_marker(panel.series[index].color.value_or(static_cast<int>(index)));
}

bool has_line(SeriesStyle style) { return style != SeriesStyle::kMarkers; }
bool has_markers(SeriesStyle style) {
  return style == SeriesStyle::kMarkers || style == SeriesStyle::kLineAndMarkers;
}

Stroke stroke_of(const Panel& panel, std::size_t index) {
  return {.color = color_of(panel, index),
          .width = 1.8,
          .is_dashed = panel.series[index].style == SeriesStyle::kDashedLine};
}

constexpr Stroke kReferenceStroke = {.color = kFaintInk, .width = 1.2, .is_dashed = true};

void check_chart(const LineChart& chart) {
  require(!chart.panels.empty(), "chart: it has no panels");
  for (const Panel& panel : chart.panels) {
    for (const Series& series : panel.series) {
      require(series.x.size() == series.y.size(), "chart: the series '{}' has {} values of x and {} of y",
              series.name, series.x.size(), series.y.size());
      for (const std::vector<double>* bound : {&series.lower, &series.upper}) {
        require(bound->empty() || bound->size() == series.y.size(),
                "chart: the series '{}' has {} values of y and {} bounds of them", series.name,
                series.y.size(), bound->size());
      }
    }
  }
}

Axis x_axis_of(const LineChart& chart) {
  std::vector<double> values;
  for (const Panel& panel : chart.panels) {
    for (const Series& series : panel.series) {
      for (std::size_t i = 0; i < series.x.size(); ++i) {
        if (is_shown(chart, panel, series, i)) values.push_back(series.x[i]);
      }
    }
  }
  return Axis(chart.x_scale, values, 0.015);
}

Axis y_axis_of(const LineChart& chart, const Panel& panel) {
  std::vector<double> values;
  for (const Series& series : panel.series) {
    for (std::size_t i = 0; i < series.y.size(); ++i) {
      if (!is_shown(chart, panel, series, i)) continue;
      values.push_back(series.y[i]);
      if (!series.lower.empty()) values.push_back(series.lower[i]);
      if (!series.upper.empty()) values.push_back(series.upper[i]);
    }
  }
  for (const ReferenceLine& reference : panel.references) values.push_back(reference.y);
  return Axis(panel.scale, values, 0.06);
}

/// One panel's curves, where its axes stand.
class PanelDrawing {
 public:
  PanelDrawing(Canvas& canvas, const LineChart& chart, const Panel& panel, const Axis& x,
               const Rectangle& area)
      : canvas_(canvas), chart_(chart), panel_(panel), x_(x), y_(y_axis_of(chart, panel)), area_(area) {}

  void draw(bool is_last) {
    draw_axes(is_last);
    canvas_.clip(area_);
    for (const ReferenceLine& reference : panel_.references) {
      if (!Axis::can_show(panel_.scale, reference.y)) continue;
      const double y = at(x_.low(), reference.y).y;
      canvas_.line({area_.x, y}, {area_.right(), y}, kReferenceStroke);
    }
    for (std::size_t i = 0; i < panel_.series.size(); ++i) draw_series(i);
    canvas_.unclip();
    draw_legend();
  }

 private:
  Point at(double x, double y) const {
    return {area_.x + x_.place(x) * area_.width, area_.bottom() - y_.place(y) * area_.height};
  }

  void draw_axes(bool is_last) {
    canvas_.text({area_.x, area_.y - 9}, panel_.title, {.size = 13, .is_bold = true});
    const int wanted = std::max(3, static_cast<int>(area_.height / 42));
    for (const Tick& tick : y_.ticks(wanted)) {
      const double y = area_.bottom() - y_.place(tick.value) * area_.height;
      if (tick.label.empty()) {
        canvas_.line({area_.x, y}, {area_.x + 4, y}, {.color = kFaintInk, .width = 0.7});
        continue;
      }
      canvas_.line({area_.x, y}, {area_.right(), y}, {.color = kGrid, .width = 0.8});
      canvas_.text({area_.x - 7, y}, tick.label,
                   {.size = 11, .horizontal = HorizontalAlign::kRight, .vertical = VerticalAlign::kMiddle});
    }
    for (const Tick& tick : x_.ticks(7)) {
      const double x = area_.x + x_.place(tick.value) * area_.width;
      if (tick.label.empty()) {
        canvas_.line({x, area_.bottom()}, {x, area_.bottom() - 4}, {.color = kFaintInk, .width = 0.7});
        continue;
      }
      canvas_.line({x, area_.y}, {x, area_.bottom()}, {.color = kGrid, .width = 0.8});
      if (!is_last) continue;
      canvas_.text({x, area_.bottom() + 7}, tick.label,
                   {.size = 11, .horizontal = HorizontalAlign::kCenter, .vertical = VerticalAlign::kTop});
    }
    canvas_.outline(area_, {.color = kFaintInk, .width = 0.8});
  }

  void draw_series(std::size_t index) {
    const Series& series = panel_.series[index];
    const Stroke stroke = stroke_of(panel_, index);
    if (!series.lower.empty() && !series.upper.empty()) draw_interval(series, stroke);
    if (has_line(series.style)) draw_line(series, stroke);
    if (!has_markers(series.style)) return;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!is_shown(chart_, panel_, series, i)) continue;
      canvas_.marker(marker_of(panel_, index), at(series.x[i], series.y[i]), kMarkerRadius, stroke.color);
    }
  }

  void draw_line(const Series& series, const Stroke& stroke) {
    constexpr double kLeastStep = 0.25;  // points: what is nearer to the last corner cannot be seen
    std::vector<Point> corners;
    const auto finish = [&] {
      if (corners.size() == 1) canvas_.disc(corners[0], stroke.width, stroke.color);
      if (corners.size() > 1) canvas_.polyline(corners, stroke);
      corners.clear();
    };
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!is_shown(chart_, panel_, series, i)) {
        finish();
        continue;
      }
      const Point corner = at(series.x[i], series.y[i]);
      const bool is_near = !corners.empty() &&
                           std::hypot(corner.x - corners.back().x, corner.y - corners.back().y) < kLeastStep;
      if (!is_near) corners.push_back(corner);
    }
    finish();
  }

  void draw_interval(const Series& series, const Stroke& stroke) {
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!is_shown(chart_, panel_, series, i)) continue;
      // A bound that the axis cannot show is beyond its end.
      const auto end = [&](double bound, double beyond) {
        return at(series.x[i], Axis::can_show(panel_.scale, bound) ? bound : beyond);
      };
      const Point low = end(series.lower[i], y_.low());
      const Point high = end(series.upper[i], y_.high());
      const Stroke thin = {.color = stroke.color, .width = 1.1};
      canvas_.line(low, high, thin);
      for (const Point cap : {low, high}) canvas_.line({cap.x - 3, cap.y}, {cap.x + 3, cap.y}, thin);
    }
  }

  void draw_legend() {
    const double left = area_.right() + kLegendGap;
    const double text_left = left + kKeyWidth + 8;
    const double text_width = kWidth - 12 - text_left;
    double y = area_.y + kEntryHeight / 2;
    const std::vector<Entry> entries = entries_of(chart_, panel_);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const bool is_series = i < panel_.series.size();
      const Stroke stroke = is_series ? stroke_of(panel_, i) : kReferenceStroke;
      if (!is_series || has_line(panel_.series[i].style))
        canvas_.line({left, y}, {left + kKeyWidth, y}, stroke);
      if (is_series && has_markers(panel_.series[i].style)) {
        canvas_.marker(marker_of(panel_, i), {left + kKeyWidth / 2, y}, kMarkerRadius, stroke.color);
      }
      canvas_.text({text_left, y}, fitted(canvas_, entries[i].name, kEntryText, text_width), kEntryText);
      y += kEntryHeight;
      if (entries[i].note.empty()) continue;
      canvas_.text({text_left, y - 2}, fitted(canvas_, entries[i].note, kNoteText, text_width), kNoteText);
      y += kNoteHeight;
    }
  }

  Canvas& canvas_;
  const LineChart& chart_;
  const Panel& panel_;
  const Axis& x_;
  Axis y_;
  Rectangle area_;
};

/// The widest legend's width.
double legend_width(const LineChart& chart) {
  const Canvas measure({.width = 1, .height = 1});
  double width = 0;
  for (const Panel& panel : chart.panels) {
    for (const Entry& entry : entries_of(chart, panel)) {
      width = std::max(
          {width, measure.text_width(entry.name, kEntryText), measure.text_width(entry.note, kNoteText)});
    }
  }
  return std::min(width + kKeyWidth + 8, kMaxLegendWidth);
}

}  // namespace

void write_line_chart(const std::filesystem::path& path, const LineChart& chart) {
  check_chart(chart);
  const double least = chart.panels.size() == 1 ? kOnlyPanelHeight : kPanelHeight;
  std::vector<double> heights;
  double total = kTop + kBottom + kPanelGap * static_cast<double>(chart.panels.size() - 1);
  for (const Panel& panel : chart.panels) {
    heights.push_back(std::max(least, height_of(entries_of(chart, panel))));
    total += heights.back();
  }
  // The first panel's title stands under the chart's.
  const double top = kTop + (chart.title.empty() ? -18 : 12);
  total += top - kTop;
  Canvas canvas({.width = static_cast<int>(kWidth), .height = static_cast<int>(std::ceil(total)), .scale = 2},
                picture_format(path));
  canvas.text({kLeft, 28}, fitted(canvas, chart.title, {.size = 16, .is_bold = true}, kWidth - kLeft - 12),
              {.size = 16, .is_bold = true});
  const Axis x = x_axis_of(chart);
  const double width = kWidth - kLeft - kLegendGap - legend_width(chart) - 12;
  double y = top;
  for (std::size_t i = 0; i < chart.panels.size(); ++i) {
    const bool is_last = i + 1 == chart.panels.size();
    PanelDrawing(canvas, chart, chart.panels[i], x, {kLeft, y, width, heights[i]}).draw(is_last);
    y += heights[i] + (is_last ? 0 : kPanelGap);
  }
  canvas.text({kLeft + width / 2, y + 40}, chart.x_label,
              {.size = 12, .horizontal = HorizontalAlign::kCenter, .vertical = VerticalAlign::kBottom});
  canvas.text({kLeft + width, y + 40}, x_note_of(chart),
              {.size = 10,
               .color = kFaintInk,
               .horizontal = HorizontalAlign::kRight,
               .vertical = VerticalAlign::kBottom});
  canvas.write(path);
}

}  // namespace gnc
