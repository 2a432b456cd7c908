/// Axes, line charts and heat maps: what is drawn is looked up in the files again.

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "apps/pictures/canvas.h"
#include "apps/pictures/heat_map.h"
#include "apps/pictures/line_chart.h"
#include "engine/error.h"
#include "tests/apps/png_pixels.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::expect_error;
using tests::Pixels;
using tests::read_png;
using tests::TempDir;

TEST(Axis, Has_Round_Ticks) {
  const auto labels = [](const Axis& axis, int wanted) {
    std::vector<std::string> result;
    for (const Tick& tick : axis.ticks(wanted)) {
      EXPECT_GE(axis.place(tick.value), -1e-6);
      EXPECT_LE(axis.place(tick.value), 1 + 1e-6);
      if (!tick.label.empty()) result.push_back(tick.label);
    }
    return result;
  };
  using Labels = std::vector<std::string>;
  EXPECT_EQ(labels(Axis(AxisScale::kLinear, {0, 1000}, 0), 5),
            (Labels{"0", "200", "400", "600", "800", "1000"}));
  EXPECT_EQ(labels(Axis(AxisScale::kLinear, {-0.3, 0.31}, 0), 4), (Labels{"−0.2", "0.0", "0.2"}));
  EXPECT_EQ(labels(Axis(AxisScale::kLogarithmic, {1e-8, 1}, 0), 4), (Labels{"10⁻⁶", "10⁻³", "10⁰"}));
  EXPECT_EQ(labels(Axis(AxisScale::kLogarithmic, {1, 1000}, 0), 4), (Labels{"1", "10", "100", "1000"}));
  EXPECT_EQ(labels(Axis(AxisScale::kLogarithmic, {2, 9}, 0), 4), (Labels{"2", "4", "6", "8"}));
  EXPECT_EQ(labels(Axis(AxisScale::kLinear, {3, 3}, 0), 3), (Labels{"2", "3", "4"})) << "equal values";
  EXPECT_EQ(labels(Axis(AxisScale::kLinear, {}, 0), 3), (Labels{"0.0", "0.5", "1.0"})) << "no values";
}

TEST(Axis, Has_Three_Labels_At_Least_On_Any_Range) {
  // Ranges of 1 to 1e-6 of their place and of up to 14 decades, at 500 places each.
  for (const AxisScale scale : {AxisScale::kLinear, AxisScale::kLogarithmic}) {
    for (int wanted = 1; wanted <= 8; ++wanted) {
      for (int i = 0; i < 500; ++i) {
        const double low = std::pow(10, -7 + 0.0271 * i);
        for (const double factor : {1 + 1e-6, 1.01, 1.7, 3.0, 9.5, 31.0, 950.0, 2e4, 1e14}) {
          std::set<std::string> labels;
          for (const Tick& tick : Axis(scale, {low, low * factor}, 0.06).ticks(wanted))
            if (!tick.label.empty()) labels.insert(tick.label);
          ASSERT_GE(labels.size(), 3U) << low << " to " << low * factor << ", wanted " << wanted;
          ASSERT_LE(labels.size(), 12U) << low << " to " << low * factor << ", wanted " << wanted;
        }
      }
    }
  }
}

TEST(Axis, Has_Labels_At_The_Ends_Of_The_Numbers_There_Are) {
  constexpr double kLargest = std::numeric_limits<double>::max(),
                   kDenormal = std::numeric_limits<double>::denorm_min();
  const std::vector<std::vector<double>> ranges = {{kLargest},
                                                   {0, kLargest},
                                                   {-kLargest, kLargest},
                                                   {1e300},
                                                   {-1e300, 1e300},
                                                   {kDenormal},
                                                   {0, kDenormal},
                                                   {1e-300},
                                                   {0, 1e-300},
                                                   {0, 3e-300},
                                                   {1e-300, 1e300},
                                                   {kDenormal, 1e308},
                                                   {1e308},
                                                   {}};
  for (const AxisScale scale : {AxisScale::kLinear, AxisScale::kLogarithmic})
    for (const std::vector<double>& values : ranges) {
      const Axis axis(scale, values, 0.06);
      int labels = 0;
      for (const Tick& tick : axis.ticks(5)) {
        EXPECT_TRUE(std::isfinite(axis.place(tick.value))) << tick.value;
        labels += tick.label.empty() ? 0 : 1;
      }
      EXPECT_GE(labels, 3) << fmt::format("{}", fmt::join(values, ", "));
    }
}

TEST(Axis, Of_Integers_Has_Integer_Ticks) {
  for (const double last : {1, 2, 3, 5, 6, 11, 40, 199}) {
    for (const Tick& tick : Axis(AxisScale::kLinear, {1, last}, 0.015).ticks(7, AxisValues::kIntegers)) {
      EXPECT_EQ(tick.value, std::round(tick.value));
      EXPECT_EQ(tick.label, std::to_string(static_cast<int>(tick.value)));
    }
  }
  EXPECT_EQ(Axis(AxisScale::kLinear, {0, 3}, 0.015).ticks(7, AxisValues::kIntegers).size(), 4U);
}

TEST(Axis, Typesets_Numbers) {
  EXPECT_EQ(typeset_number(0), "0");
  EXPECT_EQ(typeset_number(0.25), "0.25");
  EXPECT_EQ(typeset_number(123456), "123456");
  EXPECT_EQ(typeset_number(-2e-7), "−2·10⁻⁷");
  EXPECT_EQ(typeset_number(1e12), "10¹²");
}

TEST(LineChart, Leaves_A_Gap_Where_There_Is_No_Value) {
  const TempDir folder;
  Series series = {.name = "loss", .x = {}, .y = {}};
  for (int i = 0; i <= 20; ++i) {
    series.x.push_back(i);
    series.y.push_back(i >= 8 && i <= 12 ? (i % 2 == 0 ? 0 : std::nan("")) : 1 + (i == 0 ? 1e-3 : 0));
  }
  const LineChart chart = {.title = "t",
                           .x_label = "x",
                           .panels = {{.title = "p", .scale = AxisScale::kLogarithmic, .series = {series}}}};
  write_line_chart(folder / "a.png", chart);
  const Pixels pixels = read_png(folder / "a.png");
  EXPECT_EQ(pixels.width, 1800);
  // Columns of the plot, whose frame begins at 66 points, that hold the curve's colour; the legend is beyond.
  std::vector<int> columns;
  for (int x = 132; x < 1300; ++x) {
    for (int y = 0; y < pixels.height; ++y) {
      if (pixels.at(x, y) == class_color(0, 1)) {
        columns.push_back(x);
        break;
      }
    }
  }
  ASSERT_FALSE(columns.empty());
  int widest_gap = 0;
  int gaps = 0;
  for (std::size_t i = 1; i < columns.size(); ++i) {
    widest_gap = std::max(widest_gap, columns[i] - columns[i - 1]);
    gaps += columns[i] - columns[i - 1] > 1 ? 1 : 0;
  }
  EXPECT_EQ(gaps, 1);
  // Six of twenty steps, in a plot that is at least half of the picture.
  EXPECT_GT(widest_gap, 900 * 6 / 20 - 10);
}

TEST(LineChart, Draws_What_Has_No_Values_And_Refuses_What_Does_Not_Fit) {
  const TempDir folder;
  const double nan = std::nan("");
  const Series nothing = {.name = "nothing", .x = {0, 1}, .y = {nan, nan}};
  write_line_chart(folder / "a.png",
                   {.title = "", .x_label = "", .panels = {{.title = "", .series = {nothing}}}});
  EXPECT_EQ(read_png(folder / "a.png").width, 1800);
  EXPECT_THROW(write_line_chart(folder / "b.png", {}), Error);
  Series uneven = {.name = "uneven", .x = {0, 1}, .y = {1}};
  expect_error<Error>(
      [&] {
        write_line_chart(folder / "b.png",
                         {.title = "", .x_label = "", .panels = {{.title = "", .series = {uneven}}}});
      },
      {"'uneven' has 2 values of x and 1 of y"});
  EXPECT_FALSE(std::filesystem::exists(folder / "b.png"));
}

TEST(LineChart, Names_Its_Curves_Once_For_Panels_Beside_Each_Other) {
  const TempDir folder;
  LineChart chart = {.title = "t", .x_label = "epoch", .panels = {}};
  for (int i = 0; i < 5; ++i) {
    Panel panel = {.title = "panel", .series = {}};
    for (int k = 0; k < 2; ++k)
      panel.series.push_back({.name = "curve " + std::to_string(k),
                              .x = {1, 2, 3},
                              .y = {1.0 + k, 2.0 + k, 1.0 + k},
                              .style = SeriesStyle::kMarkers,
                              .color = k});
    chart.panels.push_back(panel);
  }
  // A marker's pixels; beside the panels each curve is named five times, once it is for all of them.
  const auto colored = [&](const char* name) {
    write_line_chart(folder / name, chart);
    const Pixels pixels = read_png(folder / name);
    return std::pair(pixels.count(class_color(0, 2)), pixels.height);
  };
  const auto [beside, tall] = colored("beside.png");
  chart.legend = LegendPlace::kOnce;
  chart.columns = 2;
  const auto [once, low] = colored("once.png");
  // 15 points and 5 or 1 keys of the same size.
  EXPECT_NEAR(static_cast<double>(once) / static_cast<double>(beside), 16.0 / 20, 0.03);
  // Three rows of panels in place of five.
  EXPECT_NEAR(static_cast<double>(low) / tall, 3.0 / 5, 0.06);
  chart.legend = LegendPlace::kBesidePanels;
  EXPECT_THROW(write_line_chart(folder / "c.png", chart), Error);
}

TEST(LineChart, Gives_Names_Of_Places_Room_Below_The_Axis) {
  const TempDir folder;
  LineChart chart = {.title = "t",
                     .x_label = "layer",
                     .panels = {{.title = "p", .series = {{.name = "a", .x = {0, 1, 2}, .y = {1, 2, 3}}}}},
                     .x_names = {"a", "b", "c"}};
  const auto height = [&] {
    write_line_chart(folder / "a.png", chart);
    return read_png(folder / "a.png").height;
  };
  const int plain = height();
  chart.x_names[1] = "features.denseblock1.relu";
  EXPECT_GT(height(), plain + 100) << "25 letters of about 6 points, two pixels each";
  chart.x_names[1] = std::string(300, 'x');
  EXPECT_LT(height(), plain + 300) << "what is longer than 130 points is cut";
  chart.x_names = std::vector<std::string>(200, "layer");
  height();  // more names than fit
}

TEST(HeatMap, Is_White_At_Zero_And_Symmetric_About_It) {
  const TempDir folder;
  Canvas canvas({.width = 700, .height = 600, .scale = 2});
  Eigen::MatrixXd values = Eigen::MatrixXd::Zero(20, 20);
  values(0, 1) = 0.5;
  values(3, 2) = -0.5;
  draw_heat_map(canvas, {50, 50, 400, 400}, {.values = values, .color_label = ""});
  canvas.write(folder / "a.png");
  const Pixels pixels = read_png(folder / "a.png");
  const auto cell = [&](int row, int column) {
    return pixels.at(100 + 40 * column + 20, 100 + 40 * row + 20);
  };
  EXPECT_EQ(cell(0, 1), diverging(1)) << "the largest value has the last colour";
  EXPECT_EQ(cell(3, 2), diverging(-1));
  EXPECT_EQ(cell(10, 10), kWhite);
  values(4, 5) = std::nan("");
  expect_error<Error>(
      [&] {
        draw_heat_map(canvas, {50, 50, 400, 400}, {.values = values, .color_label = ""});
      },
      {"row 4, column 5"});
}

TEST(HeatMap, Of_Counts_Has_A_Scale_From_Zero_To_The_Largest) {
  const TempDir folder;
  Canvas canvas({.width = 700, .height = 600, .scale = 2});
  Eigen::MatrixXd counts = Eigen::MatrixXd::Zero(20, 20);
  counts.diagonal().setConstant(90);
  counts(0, 1) = 6;
  counts(3, 2) = 3;
  const HeatMap map = {.values = counts,
                       .kind = HeatMapValues::kCounts,
                       .diagonal = Diagonal::kIsGrey,
                       .color_label = "pictures"};
  draw_heat_map(canvas, {50, 50, 400, 400}, map);
  canvas.write(folder / "a.png");
  const Pixels pixels = read_png(folder / "a.png");
  const auto cell = [&](int row, int column) {
    return pixels.at(100 + 40 * column + 20, 100 + 40 * row + 20);
  };
  EXPECT_EQ(cell(0, 1), diverging(1)) << "the largest beside the diagonal has the last colour";
  EXPECT_EQ(cell(3, 2), diverging(0.5));
  EXPECT_EQ(cell(10, 11), kWhite);
  // The bar of 256 steps, 18 points right of the matrix: the first at its upper end, white at the lower,
  // nothing blue.
  EXPECT_EQ(pixels.at(100 + 800 + 36 + 15, 102), diverging(1));
  EXPECT_EQ(pixels.at(100 + 800 + 36 + 15, 100 + 800 - 3), kWhite);
  for (const Color color : pixels.colors) ASSERT_LE(color.blue, std::max(color.red, color.green));
  counts(1, 2) = -1;
  expect_error<Error>(
      [&] {
        draw_heat_map(canvas, {50, 50, 400, 400},
                      {.values = counts, .kind = HeatMapValues::kCounts, .color_label = ""});
      },
      {"row 1, column 2"});
}

}  // namespace
}  // namespace gnc
