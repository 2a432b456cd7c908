#include "apps/bench/roofline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/pictures/axis.h"
#include "apps/pictures/canvas.h"
#include "engine/error.h"

namespace gnc {
namespace {

constexpr CanvasSize kSize = {.width = 960, .height = 520, .scale = 2};
constexpr Rectangle kPlot = {.x = 78, .y = 46, .width = 590, .height = 410};
constexpr double kLegendX = 690;

double intensity_of(const ProfileRow& row) { return row.flops / row.bytes; }
double rate_of(const ProfileRow& row) { return 1e-9 * row.flops / row.seconds; }

/// Where the two ceilings meet, operations a byte.
double ridge_of(const Ceilings& ceilings) { return ceilings.flops_per_second / ceilings.bytes_per_second; }

class Roofline {
 public:
  Roofline(PictureFormat format, const ProfileSummary& profile, const Ceilings& ceilings)
      : canvas_(kSize, format),
        profile_(profile),
        ceilings_(ceilings),
        x_(AxisScale::kLogarithmic, intensities(), 0.06),
        y_(AxisScale::kLogarithmic, rates(), 0.06) {
    for (const ProfileRow& row : profile.rows)
      if (row.flops > 0 && std::ranges::find(ops_, row.op) == ops_.end()) ops_.push_back(row.op);
  }

  void draw(const std::string& title) {
    canvas_.text({kPlot.x, 26}, title, {.size = 15, .is_bold = true});
    draw_axes();
    draw_ceilings();
    for (const ProfileRow& row : profile_.rows)
      if (row.flops > 0 && row.seconds > 0) draw_point(row);
    draw_legend();
  }
  void write(const std::filesystem::path& path) const { canvas_.write(path); }

 private:
  std::vector<double> intensities() const {
    std::vector<double> values = {ridge_of(ceilings_), 4 * ridge_of(ceilings_)};
    for (const ProfileRow& row : profile_.rows)
      if (row.flops > 0) values.push_back(intensity_of(row));
    return values;
  }
  std::vector<double> rates() const {
    std::vector<double> values = {1.3e-9 * ceilings_.flops_per_second};
    for (const ProfileRow& row : profile_.rows)
      if (row.flops > 0 && row.seconds > 0) values.push_back(rate_of(row));
    return values;
  }
  Point place(double intensity, double rate) const {
    return {kPlot.x + kPlot.width * x_.place(intensity), kPlot.bottom() - kPlot.height * y_.place(rate)};
  }

  void draw_axes() {
    for (const Tick& tick : x_.ticks(8)) {
      const double x = place(tick.value, y_.low()).x;
      if (tick.label.empty()) continue;
      canvas_.line({x, kPlot.y}, {x, kPlot.bottom()}, {.color = kGrid});
      canvas_.text({x, kPlot.bottom() + 8}, tick.label,
                   {.horizontal = HorizontalAlign::kCenter, .vertical = VerticalAlign::kTop});
    }
    for (const Tick& tick : y_.ticks(8)) {
      const double y = place(x_.low(), tick.value).y;
      if (tick.label.empty()) continue;
      canvas_.line({kPlot.x, y}, {kPlot.right(), y}, {.color = kGrid});
      canvas_.text({kPlot.x - 8, y}, tick.label,
                   {.horizontal = HorizontalAlign::kRight, .vertical = VerticalAlign::kMiddle});
    }
    canvas_.outline(kPlot, {.color = kInk});
    canvas_.text({kPlot.x + kPlot.width / 2, kSize.height - 14.0}, "floating-point operations per byte",
                 {.size = 13, .horizontal = HorizontalAlign::kCenter});
    canvas_.text({22, kPlot.y + kPlot.height / 2}, "GFLOP/s",
                 {.size = 13,
                  .horizontal = HorizontalAlign::kCenter,
                  .vertical = VerticalAlign::kMiddle,
                  .is_turned = true});
  }

  void draw_ceilings() {
    const double ridge = ridge_of(ceilings_), most = 1e-9 * ceilings_.flops_per_second;
    const double bandwidth = 1e-9 * ceilings_.bytes_per_second;
    canvas_.clip(kPlot);
    const Stroke stroke = {.color = kInk, .width = 2};
    canvas_.line(place(x_.low(), bandwidth * x_.low()), place(ridge, most), stroke);
    canvas_.line(place(ridge, most), place(x_.high(), most), stroke);
    canvas_.unclip();
  }

  int place_of(const std::string& op) const {
    return static_cast<int>(std::ranges::find(ops_, op) - ops_.begin());
  }
  Color color_of(int op) const { return class_color(op, static_cast<int>(ops_.size())); }

  void draw_point(const ProfileRow& row) {
    const int op = place_of(row.op);
    const double radius = 3 + 14 * std::sqrt(row.share);
    canvas_.marker(class_marker(op), place(intensity_of(row), rate_of(row)), radius, color_of(op));
  }

  void draw_legend() {
    double y = kPlot.y + 8;
    int idle = 0;
    for (const ProfileRow& row : profile_.rows) idle += row.flops == 0 ? 1 : 0;
    for (const std::string& op : ops_) {
      const int place = place_of(op);
      double share = 0;
      for (const ProfileRow& row : profile_.rows)
        if (row.op == op) share += row.share;
      canvas_.marker(class_marker(place), {kLegendX + 6, y}, 5, color_of(place));
      canvas_.text({kLegendX + 18, y}, fmt::format("{}  {:.1f} %", op, 100 * share),
                   {.vertical = VerticalAlign::kMiddle});
      y += 20;
    }
    const auto note = [&](const std::string& text) {
      canvas_.text({kLegendX, y + 6}, text, {.size = 11, .color = kFaintInk});
      y += 16;
    };
    note("% of the step; larger is more of it");
    if (idle > 0) note(fmt::format("{} ops without arithmetic are not shown", idle));
    note(fmt::format("copy {:.1f} GB/s, matrix product {:.0f} GFLOP/s:", 1e-9 * ceilings_.bytes_per_second,
                     1e-9 * ceilings_.flops_per_second));
    note("measured in the same run; above them where");
    note("operands come from caches");
  }

  Canvas canvas_;
  const ProfileSummary& profile_;
  Ceilings ceilings_;
  Axis x_;
  Axis y_;
  std::vector<std::string> ops_;  // with arithmetic, in the order of the step
};

}  // namespace

void write_roofline(const std::filesystem::path& path, const std::string& title,
                    const ProfileSummary& profile, const Ceilings& ceilings) {
  Roofline roofline(picture_format(path), profile, ceilings);
  roofline.draw(title);
  roofline.write(path);
}

}  // namespace gnc
