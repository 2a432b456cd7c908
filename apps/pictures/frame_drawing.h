#pragma once
/// Frames to look at: the Gram matrix, the vectors in the plane, the vectors turning in space.

#include <Eigen/Dense>

#include <filesystem>
#include <string>

namespace gnc {

/// A frame and the words above its picture.
struct FrameDrawing {
  Eigen::MatrixXd vectors;  ///< [d,C]; finite, no column zero; drawn as directions, norms aside
  std::string title;        ///< e.g. "C = 10, d = 6"
  std::string caption;      ///< e.g. the largest inner product and its bound
};

/// Draws the Gram matrix of the directions as a heat map, for d = 2 with the vectors on the unit circle
/// beside it, as a PNG file. Throws Error for vectors without a direction, FileError naming the path.
void write_frame_picture(const std::filesystem::path& path, const FrameDrawing& frame);

/// Draws a frame of d = 3 that turns once in 5 s on the unit sphere as a GIF file of 420x460 pixels that
/// repeats without a seam; lines join the pairs at the largest inner product (to 1e-6). Throws as above, and
/// for another d.
void write_rotating_frame(const std::filesystem::path& path, const FrameDrawing& frame);

}  // namespace gnc
