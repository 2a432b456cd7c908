#pragma once
/// A matrix as colours: blue below zero and red above, or counts from white to red.

#include <Eigen/Dense>

#include <filesystem>
#include <string>
#include <vector>

#include "apps/pictures/canvas.h"

namespace gnc {

/// What the diagonal shows: a value like the others, or grey where it would drown them (norms in a Gram
/// matrix).
enum class Diagonal : unsigned char { kIsShown, kIsGrey };

/// What the values are: numbers of either sign, or counts, which are written as integers and have a scale
/// from 0 to the largest that is shown.
enum class HeatMapValues : unsigned char { kSigned, kCounts };

struct HeatMap {
  Eigen::MatrixXd values;  ///< [rows,columns]; every one finite, and counts not negative
  HeatMapValues kind = HeatMapValues::kSigned;
  Diagonal diagonal = Diagonal::kIsShown;
  std::string color_label;  ///< what the colour bar measures
};

/// The side of a square for an n×n matrix, in points of a canvas of 2 pixels a point: about 480, and such
/// that cells are whole pixels up to n = 2000.
double heat_map_side(Eigen::Index n);

/// The room that the colour bar and its labels take to the right of the matrix, points.
inline constexpr double kColorBarRoom = 84;

/// Draws the matrix into `area`, its colour bar to the right of it (kColorBarRoom points) and the numbers of
/// rows and columns to the left (30 points) and below (30 points). The colours span the largest magnitude
/// that is shown, white at 0; matrices of up to 12 columns have their values written in. Throws Error for a
/// value that is not finite or a negative count, naming row and column.
void draw_heat_map(Canvas& canvas, const Rectangle& area, const HeatMap& map);

/// What stands above a matrix; what is too long for the picture is cut.
struct HeatMapTitle {
  std::string title;
  std::vector<std::string> notes = {};  ///< smaller, each in a line below
};

/// A picture of a matrix alone, PNG or by the path's ending SVG, with its title. Throws as above, and
/// FileError naming the path.
void write_heat_map(const std::filesystem::path& path, const HeatMapTitle& title, const HeatMap& map);

}  // namespace gnc
