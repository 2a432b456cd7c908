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
constexpr double kRight = 12;
constexpr double kEntryGap = 22;
constexpr double kTickText = 11;
constexpr double kMostNameLength = 130;
constexpr TextStyle kPanelTitle = {.size = 13, .is_bold = true};
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

/// Colours that the panel's curves need.
int colors_of(const Panel& panel) {
  int colors = static_cast<int>(panel.series.size());
  for (const Series& series : panel.series) colors = std::max(colors, series.color.value_or(0) + 1);
  return colors;
}

/// As above, but with one legend the same in all panels.
int colors_of(const LineChart& chart, const Panel& panel) {
  if (chart.legend == LegendPlace::kBesidePanels) return colors_of(panel);
  int colors = 0;
  for (const Panel& one : chart.panels) colors = std::max(colors, colors_of(one));
  return colors;
}

Marker marker_of(const Panel& panel, std::size_t index) {
  return class_marker(panel.series[index].color.value_or(static_cast<int>(index)));
}

bool has_line(SeriesStyle style) { return style != SeriesStyle::kMarkers; }
bool has_markers(SeriesStyle style) {
  return style == SeriesStyle::kMarkers || style == SeriesStyle::kLineAndMarkers;
}

Stroke stroke_of(const LineChart& chart, const Panel& panel, std::size_t index) {
  const int color = panel.series[index].color.value_or(static_cast<int>(index));
  return {.color = class_color(color, colors_of(chart, panel)),
          .width = 1.8,
          .is_dashed = panel.series[index].style == SeriesStyle::kDashedLine};
}

constexpr Stroke kReferenceStroke = {.color = kFaintInk, .width = 1.2, .is_dashed = true};

void check_chart(const LineChart& chart) {
  require(!chart.panels.empty(), "chart: it has no panels");
  require(chart.columns == 1 || (chart.columns > 1 && chart.legend == LegendPlace::kOnce),
          "chart: {} columns; expected 1, or more with one legend", chart.columns);
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

/// The line or marker that a legend shows for a panel's series, then its references.
void draw_key(Canvas& canvas, const LineChart& chart, const Panel& panel, std::size_t index, Point at) {
  if (index >= panel.series.size()) {
    canvas.line(at, {at.x + kKeyWidth, at.y}, kReferenceStroke);
    return;
  }
  const Stroke stroke = stroke_of(chart, panel, index);
  const SeriesStyle style = panel.series[index].style;
  if (has_line(style)) canvas.line(at, {at.x + kKeyWidth, at.y}, stroke);
  if (has_markers(style))
    canvas.marker(marker_of(panel, index), {at.x + kKeyWidth / 2, at.y}, kMarkerRadius, stroke.color);
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
    if (chart_.legend == LegendPlace::kBesidePanels)
      draw_legend();
    else
      draw_note();
  }

 private:
  Point at(double x, double y) const {
    return {area_.x + x_.place(x) * area_.width, area_.bottom() - y_.place(y) * area_.height};
  }

  void draw_axes(bool is_last) {
    canvas_.text({area_.x, area_.y - 9}, panel_.title, kPanelTitle);
    const int wanted = std::max(3, static_cast<int>(area_.height / 42));
    for (const Tick& tick : y_.ticks(wanted)) {
      const double y = area_.bottom() - y_.place(tick.value) * area_.height;
      if (tick.label.empty()) {
        canvas_.line({area_.x, y}, {area_.x + 4, y}, {.color = kFaintInk, .width = 0.7});
        continue;
      }
      canvas_.line({area_.x, y}, {area_.right(), y}, {.color = kGrid, .width = 0.8});
      canvas_.text(
          {area_.x - 7, y}, tick.label,
          {.size = kTickText, .horizontal = HorizontalAlign::kRight, .vertical = VerticalAlign::kMiddle});
    }
    for (const Tick& tick : x_ticks()) {
      const double x = area_.x + x_.place(tick.value) * area_.width;
      if (tick.label.empty()) {
        canvas_.line({x, area_.bottom()}, {x, area_.bottom() - 4}, {.color = kFaintInk, .width = 0.7});
        continue;
      }
      canvas_.line({x, area_.y}, {x, area_.bottom()}, {.color = kGrid, .width = 0.8});
      if (is_last) draw_x_label({x, area_.bottom() + 7}, tick.label);
    }
    canvas_.outline(area_, {.color = kFaintInk, .width = 0.8});
  }

  /// Points from one of the x axis's whole numbers to the next.
  double x_spacing() const { return (x_.place(1) - x_.place(0)) * area_.width; }

  /// Those of the names that fit beside each other, else numbers.
  std::vector<Tick> x_ticks() const {
    if (chart_.x_names.empty())
      return x_.ticks(std::clamp(static_cast<int>(area_.width / 55), 3, 7), chart_.x_values);
    constexpr double kLineOfText = 14;
    const auto stride = static_cast<std::size_t>(std::max(1.0, std::ceil(kLineOfText / x_spacing())));
    std::vector<Tick> ticks;
    for (std::size_t i = 0; i < chart_.x_names.size(); i += stride)
      ticks.push_back({static_cast<double>(i), chart_.x_names[i]});
    return ticks;
  }

  void draw_x_label(Point at, const std::string& label) {
    TextStyle style = {
        .size = kTickText, .horizontal = HorizontalAlign::kCenter, .vertical = VerticalAlign::kTop};
    if (!chart_.x_names.empty())
      style = {.size = kTickText,
               .horizontal = HorizontalAlign::kRight,
               .vertical = VerticalAlign::kMiddle,
               .is_turned = true};
    canvas_.text(at, chart_.x_names.empty() ? label : canvas_.fitted(label, style, kMostNameLength), style);
  }

  /// What the panel cannot show, above its upper right corner.
  void draw_note() {
    for (const Entry& entry : entries_of(chart_, panel_)) {
      if (entry.note.empty()) continue;
      TextStyle style = kNoteText;
      style.horizontal = HorizontalAlign::kRight;
      const double title_width = canvas_.text_width(panel_.title, kPanelTitle);
      const std::string text = fmt::format("{}: {}", entry.name, entry.note);
      canvas_.text({area_.right(), area_.y - 9}, canvas_.fitted(text, style, area_.width - title_width - 12),
                   style);
      return;
    }
  }

  void draw_series(std::size_t index) {
    const Series& series = panel_.series[index];
    const Stroke stroke = stroke_of(chart_, panel_, index);
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
    const double text_width = kWidth - kRight - text_left;
    double y = area_.y + kEntryHeight / 2;
    const std::vector<Entry> entries = entries_of(chart_, panel_);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      draw_key(canvas_, chart_, panel_, i, {left, y});
      canvas_.text({text_left, y}, canvas_.fitted(entries[i].name, kEntryText, text_width), kEntryText);
      y += kEntryHeight;
      if (entries[i].note.empty()) continue;
      canvas_.text({text_left, y - 2}, canvas_.fitted(entries[i].note, kNoteText, text_width), kNoteText);
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
double legend_width(const Canvas& canvas, const LineChart& chart) {
  double width = 0;
  for (const Panel& panel : chart.panels) {
    for (const Entry& entry : entries_of(chart, panel)) {
      width = std::max(
          {width, canvas.text_width(entry.name, kEntryText), canvas.text_width(entry.note, kNoteText)});
    }
  }
  return std::min(width + kKeyWidth + 8, kMaxLegendWidth);
}

/// An entry of the legend that all panels share, and where it stands below the title.
struct SharedEntry {
  const Panel* panel = nullptr;  ///< the first with it
  std::size_t index = 0;         ///< in its series, then references
  std::string name;
  Point at;
};

/// Entries in rows, from {kLeft, 0} on.
std::vector<SharedEntry> shared_entries(const Canvas& canvas, const LineChart& chart) {
  std::vector<SharedEntry> entries;
  if (chart.legend != LegendPlace::kOnce) return entries;
  Point next = {kLeft, 0};
  for (const Panel& panel : chart.panels) {
    const std::vector<Entry> of_panel = entries_of(chart, panel);
    for (std::size_t i = 0; i < of_panel.size(); ++i) {
      const bool is_known = std::ranges::any_of(
          entries, [&](const SharedEntry& entry) { return entry.name == of_panel[i].name; });
      if (is_known) continue;
      std::string name = canvas.fitted(of_panel[i].name, kEntryText, kMaxLegendWidth);
      const double width = kKeyWidth + 8 + canvas.text_width(name, kEntryText);
      if (next.x > kLeft && next.x + width > kWidth - kRight) next = {kLeft, next.y + kEntryHeight};
      entries.push_back({&panel, i, of_panel[i].name, next});
      next.x += width + kEntryGap;
    }
  }
  return entries;
}

void draw_shared_entries(Canvas& canvas, const LineChart& chart, const std::vector<SharedEntry>& entries,
                         double top) {
  for (const SharedEntry& entry : entries) {
    const Point at = {entry.at.x, entry.at.y + top};
    draw_key(canvas, chart, *entry.panel, entry.index, at);
    canvas.text({at.x + kKeyWidth + 8, at.y}, canvas.fitted(entry.name, kEntryText, kMaxLegendWidth),
                kEntryText);
  }
}

/// The room that names of places take below the axis beyond that of numbers.
double names_height(const Canvas& canvas, const LineChart& chart) {
  double length = 0;
  for (const std::string& name : chart.x_names)
    length = std::max(length, canvas.text_width(name, {.size = kTickText}));
  return std::max(0.0, std::min(length, kMostNameLength) - kTickText);
}

/// Where a chart's parts stand.
struct ChartLayout {
  double legend_top = 0;  ///< of the shared legend's first entry
  double labels = 0;      ///< from a column's last panel down to the x axis's name
  double width = 0;       ///< of a panel
  std::vector<Rectangle> panels;
  double height = 0;
};

ChartLayout layout_of(const Canvas& canvas, const LineChart& chart, const std::vector<SharedEntry>& entries) {
  ChartLayout layout;
  const double title = kTop + (chart.title.empty() ? -18 : 12);  // a panel's title stands under the chart's
  layout.legend_top = title - 16;
  const double top = title + (entries.empty() ? 0 : entries.back().at.y + kEntryHeight + 8);
  const double names = names_height(canvas, chart);
  layout.labels = 40 + names;
  const bool is_shared = chart.legend == LegendPlace::kOnce;
  const double column = kWidth / chart.columns;
  layout.width = column - kLeft - kRight - (is_shared ? 0 : kLegendGap + legend_width(canvas, chart));
  const double least = chart.panels.size() == 1 ? kOnlyPanelHeight : kPanelHeight;
  const auto columns = static_cast<std::size_t>(chart.columns);
  double y = top, height = 0;
  for (std::size_t i = 0; i < chart.panels.size(); ++i) {
    if (i > 0 && i % columns == 0) {
      y += height + kPanelGap;
      height = 0;
    }
    const double legend = is_shared ? 0 : height_of(entries_of(chart, chart.panels[i]));
    height = std::max({height, least, legend});
    layout.panels.push_back({kLeft + column * static_cast<double>(i % columns), y, layout.width, height});
  }
  layout.height = y + height + kBottom + names;
  return layout;
}

}  // namespace

void write_line_chart(const std::filesystem::path& path, const LineChart& chart) {
  check_chart(chart);
  const Canvas measure({.width = 1, .height = 1});
  const std::vector<SharedEntry> entries = shared_entries(measure, chart);
  const ChartLayout layout = layout_of(measure, chart, entries);
  Canvas canvas(
      {.width = static_cast<int>(kWidth), .height = static_cast<int>(std::ceil(layout.height)), .scale = 2},
      picture_format(path));
  constexpr TextStyle kTitle = {.size = 16, .is_bold = true};
  canvas.text({kLeft, 28}, canvas.fitted(chart.title, kTitle, kWidth - kLeft - kRight), kTitle);
  draw_shared_entries(canvas, chart, entries, layout.legend_top);
  const Axis x = x_axis_of(chart);
  for (std::size_t i = 0; i < chart.panels.size(); ++i) {
    const bool is_last = i + static_cast<std::size_t>(chart.columns) >= chart.panels.size();
    const Rectangle& area = layout.panels[i];
    PanelDrawing(canvas, chart, chart.panels[i], x, area).draw(is_last);
    if (!is_last) continue;
    canvas.text({area.x + area.width / 2, area.bottom() + layout.labels}, chart.x_label,
                {.size = 12, .horizontal = HorizontalAlign::kCenter, .vertical = VerticalAlign::kBottom});
    canvas.text({area.right(), area.bottom() + layout.labels}, x_note_of(chart),
                {.size = 10,
                 .color = kFaintInk,
                 .horizontal = HorizontalAlign::kRight,
                 .vertical = VerticalAlign::kBottom});
  }
  canvas.write(path);
}

}  // namespace gnc
