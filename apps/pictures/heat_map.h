#pragma once
/// A matrix as colours, blue below zero and red above.

#include <Eigen/Dense>

#include <filesystem>
#include <string>

#include "apps/pictures/canvas.h"

namespace gnc {

/// What the diagonal shows: a value like the others, or grey where it would drown them (norms in a Gram
/// matrix).
enum class Diagonal : unsigned char { kIsShown, kIsGrey };

struct HeatMap {
  Eigen::MatrixXd values;  ///< [rows,columns]; every one finite
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
/// value that is not finite, naming row and column.
void draw_heat_map(Canvas& canvas, const Rectangle& area, const HeatMap& map);

/// A picture of a matrix alone, PNG or by the path's ending SVG, with a title above it. Throws as above, and
/// FileError naming the path.
void write_heat_map(const std::filesystem::path& path, const std::string& title, const HeatMap& map);

}  // namespace gnc
