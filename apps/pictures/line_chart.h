#pragma once
/// Curves over a shared x axis, in panels below or beside each other: metrics over steps, error rates over
/// noise.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/pictures/axis.h"

namespace gnc {

enum class SeriesStyle : unsigned char { kLine, kDashedLine, kMarkers, kLineAndMarkers };

/// One curve: y over x, of equal lengths. What an axis cannot show (NaN, infinities, and on a logarithmic
/// axis what is not positive) interrupts the curve and is counted in the legend.
struct Series {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> lower = {};  ///< of an interval about y, drawn as a bar or a band; or empty
  std::vector<double> upper = {};
  SeriesStyle style = SeriesStyle::kLine;
  std::optional<int> color = {};  ///< place in the palette, to share one; by default the place in the panel
};

/// A value to compare with: a dotted horizontal line, with its name in the legend.
struct ReferenceLine {
  std::string name;
  double y = 0;
};

struct Panel {
  std::string title;  ///< what the curves are, e.g. "loss"
  AxisScale scale = AxisScale::kLinear;
  std::vector<Series> series;
  std::vector<ReferenceLine> references = {};
};

/// Where the curves are named: to the right of each panel, or once for all of them below the title. Curves of
/// one name are one entry of the latter, and what a panel cannot show is told above it.
enum class LegendPlace : unsigned char { kBesidePanels, kOnce };

struct LineChart {
  std::string title;
  std::string x_label;
  AxisScale x_scale = AxisScale::kLinear;
  std::vector<Panel> panels;
  AxisValues x_values = AxisValues::kReal;
  /// Names that stand at x = 0, 1, … instead of numbers, such as those of layers; or empty.
  std::vector<std::string> x_names = {};
  LegendPlace legend = LegendPlace::kBesidePanels;
  int columns = 1;  ///< panels side by side; more than one takes LegendPlace::kOnce
};

/// Draws the chart as a PNG file, 1800 pixels wide, or by the path's ending as SVG. Throws Error for a chart
/// without panels, with series whose lengths differ, or with columns that have no legend of their own,
/// FileError naming the path.
void write_line_chart(const std::filesystem::path& path, const LineChart& chart);

}  // namespace gnc
