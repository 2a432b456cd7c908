#pragma once
/// --plot and --gif of `gnc frame`: a frame as a picture.

#include <string>

#include "apps/command_line.h"
#include "models/frame.h"

namespace gnc {

struct FramePictures {
  std::string plot;  ///< F.png, or empty
  std::string gif;   ///< F.gif, or empty
};

/// Adds --plot and --gif.
void add_picture_options(CLI::App& app, FramePictures& pictures);

/// Before a search of minutes, not after it: throws UsageError for another ending or a --gif of other than 3
/// dimensions, FileError for a folder that is not there.
void check_pictures(const FramePictures& pictures, int dim);

/// Draws what was asked for; the words above the picture tell size, largest product and its strongest bound
/// for the objective of the frame (signed when it has none).
void draw_pictures(const FramePictures& pictures, const Frame& frame);

}  // namespace gnc
