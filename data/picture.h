#pragma once
/// One JPEG or PNG picture: bytes of a file to pixels and back.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace gnc {

/// Pixels row by row, the channels of a pixel together: shape.bytes() of them.
struct Picture {
  PictureShape shape;
  std::vector<std::uint8_t> pixels;
};

/// Bytes a picture file may have; a picture of kMaxPictureExtent squared fits.
inline constexpr std::int64_t kMaxPictureFileBytes = std::int64_t{64} << 20;

/// Decodes a JPEG or PNG file (told by its first bytes, not its name) with 1 (grey) or 3 (RGB) channels, 8
/// bits each (16-bit PNG is reduced to 8). Throws FileError naming `name` for anything else: another format,
/// transparency, a side over kMaxPictureExtent, a truncated or corrupt file. Thread-safe.
Picture decode_picture(std::string_view bytes, const std::string& name);

/// A PNG file (lossless) of pixels of the given shape with 1 or 3 channels.
std::string encode_png(const PictureShape& shape, std::span<const std::uint8_t> pixels);
/// A baseline JPEG file; `quality` in 1 to 100.
std::string encode_jpeg(const PictureShape& shape, std::span<const std::uint8_t> pixels, int quality);

}  // namespace gnc
