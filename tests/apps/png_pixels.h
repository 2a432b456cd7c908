#pragma once
/// What a written PNG file shows, decoded by stb_image.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "apps/pictures/palette.h"
#include "data/picture.h"
#include "engine/file.h"

namespace gnc::tests {

/// Colours row by row.
struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<Color> colors;

  Color at(int x, int y) const {
    return colors.at(static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                     static_cast<std::size_t>(x));
  }
  std::int64_t count(Color color) const { return std::count(colors.begin(), colors.end(), color); }
};

inline Pixels read_png(const std::filesystem::path& path) {
  const Picture picture = decode_picture(read_file(path), path.string());
  EXPECT_EQ(picture.shape.channels, 3);
  Pixels pixels = {picture.shape.width, picture.shape.height, {}};
  for (std::size_t i = 0; i + 2 < picture.pixels.size(); i += 3) {
    pixels.colors.push_back({picture.pixels[i], picture.pixels[i + 1], picture.pixels[i + 2]});
  }
  return pixels;
}

}  // namespace gnc::tests
