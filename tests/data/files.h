#pragma once
/// Files for the tests of data/, made by other code than what reads them.

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "engine/error.h"

namespace gnc::tests {

/// Writes `bytes` to `path`, making the folders above it, and returns the path.
std::filesystem::path write_file(const std::filesystem::path& path, std::string_view bytes);

/// `bytes` compressed by zlib in gzip's format.
std::string gzip(std::string_view bytes);

/// An idx file: magic, big-endian extents, values.
std::string idx_file(std::uint32_t magic, std::span<const std::uint32_t> extents, std::string_view values);

/// A PNG file put together chunk by chunk: 8 bits, filter 0, no interlace; 1, 3 or 4 channels.
std::string png_file(const PictureShape& shape, std::span<const std::uint8_t> pixels);
/// The chunk `type` with its length and checksum.
std::string png_chunk(std::string_view type, std::string_view contents);

/// `count` bytes that look random.
std::vector<std::uint8_t> noise(std::size_t count, std::uint64_t seed);

/// One entry of a tar archive; a link when `link_target` is not empty.
struct TarItem {
  std::string path;
  std::string bytes;
  std::string symlink_target = {};
  std::string hardlink_target = {};
};
enum class Compression : std::uint8_t { kNone, kGzip, kXz };
/// A tar archive (GNU format), written by libarchive.
void write_tar(const std::filesystem::path& path, std::span<const TarItem> items, Compression compression);

/// The message of the `E` that `action` throws, or what happened instead.
template <class E>
std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("(another exception: ") + error.what() + ")";
  }
  return "(no exception)";
}

/// Expects an `E` whose message has every one of `parts`.
template <class E>
void expect_error(const std::function<void()>& action, std::initializer_list<std::string_view> parts) {
  const std::string message = error_of<E>(action);
  EXPECT_FALSE(message.starts_with("(")) << message;
  for (const std::string_view part : parts)
    EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is not in: " << message;
}

/// Same pixels, labels and classes.
bool same(const ImageSet& a, const ImageSet& b);
bool same(const Dataset& a, const Dataset& b);

/// Pictures from bytes in the order of storage (NHWC).
ImageSet image_set(const PictureShape& shape, std::span<const std::uint8_t> pixels,
                   std::vector<std::int32_t> labels, int num_classes);

}  // namespace gnc::tests
